import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { evaluationEvent, judgements, RunFolder, rolloutEvent, started, stepEvent } from '../test/run-folder.ts';
import { summaryText } from './summary-text.ts';
import { textChart } from './text-chart.ts';

async function wholeRun(): Promise<RunFolder> {
  const run = await RunFolder.make();
  run.append('run.started', started);
  const [before, after] = [
    { share: 0.2, seed: 1 },
    { share: 0.95, seed: 2 },
  ];
  run.append(
    'evaluation',
    evaluationEvent(0, { single_object: judgements(24, before), position: judgements(24, before) }),
  );
  run.append('exam', { step: 0, name: 'shapes', scores: { retrieval: { correct: 91, n: 100 } } });
  run.append('rollout', rolloutEvent());
  for (let step = 1; step <= 30; step++)
    run.append('step', stepEvent(step, { 'reward/mean': step / 30 }, { steps: 30 }));
  run.append(
    'evaluation',
    evaluationEvent(30, { single_object: judgements(24, after), position: judgements(24, after) }),
  );
  run.append('exam', { step: 30, name: 'shapes', scores: { retrieval: { correct: 90, n: 100 } } });
  run.append('guard', { step: 12, guard: 'ties', level: 'warn', message: 'half of the groups are ties' });
  run.append('run.ended', { step: 30, reason: 'finished', message: 'done', seconds: 552 });
  return run;
}

test('what the time of a step goes into, and what of it the engine took', async () => {
  await using run = await RunFolder.make();
  run.append('run.started', started);
  const times = { 'time/draw': 0.5, 'time/decode': 0.1, 'time/score': 0.3, 'time/learn': 0.6, 'time/engine': 1.38 };
  const inside = { 'engine/draw': 0.45, 'engine/decode': 0.05, 'engine/score': 0.3, 'engine/learn': 0.58 };
  run.append('step', stepEvent(1, { ...times, ...inside }));
  run.append('step', stepEvent(2, { ...times, ...inside }));
  expect(await summaryText(run.path, { width: 200, color: false })).toMatch(
    /^a step +1\.5 s, 92 % of it inside ONNX Runtime: draw 0\.5 s \(90 %\), decode 0\.1 s \(50 %\), score 0\.3 s \(100 %\), learn 0\.6 s \(97 %\)$/m,
  );
  // A log of before the parts were measured.
  run.append('step', stepEvent(2, { 'time/engine': 1.38 }));
  run.append('step', stepEvent(1, { 'time/engine': 1.38 }));
  expect(await summaryText(run.path, { width: 200, color: false })).toMatch(
    /^a step +1\.5 s, 92 % of it inside ONNX Runtime$/m,
  );
});

describe('the summary', () => {
  test('has the facts, the table, the verdict, the exam, the curve and the guards', async () => {
    await using run = await wholeRun();
    const text = await summaryText(run.path, { width: 100, color: false });
    expect(text).toMatch(/^test-run\nstatus +finished: 30 of 30 steps in 9 min 12 s\n/);
    expect(text).toMatch(/^teacher +frozen \(emitted-tokens\), state base$/m);
    expect(text).toMatch(/^judge +detector$/m);
    expect(text).toMatch(/^seed +7$/m);
    expect(text).toMatch(/^category +n +before +after +difference +95 % interval$/m);
    expect(text).toMatch(/^overall +48 +\d+\.\d +\d+\.\d +\+\d+\.\d +\[\+\d+\.\d, \+\d+\.\d\]$/m);
    expect(text).toMatch(/^better: \+\d+\.\d points \[\+\d+\.\d, \+\d+\.\d\]$/m);
    expect(text).toMatch(/^shapes: retrieval +100 +91 \[84, 95\] +90 \[83, 94\] +-1 +\[-10, \+8\]$/m);
    expect(text).toContain('Mean reward by step, smoothed\n');
    expect(text).toContain('warn at step 12: ties: half of the groups are ties');
  });

  test('is aligned, within its width, and the same with and without colours', async () => {
    await using run = await wholeRun();
    for (const width of [60, 80, 200]) {
      const text = await summaryText(run.path, { width, color: false });
      expect(text).not.toContain('\u001b');
      const lines = text.split('\n');
      // The exam's table needs 71 characters.
      const wide = lines.filter((line) => [...line].length > width && !/interval$|\[84, 95\]/.test(line));
      expect(wide).toEqual([]);
      const table = lines.slice(
        lines.findIndex((line) => line.startsWith('category')),
        lines.findIndex((line) => line.startsWith('overall')) + 1,
      );
      expect(new Set(table.map((line) => line.length)).size).toBe(1);
      const colored = await summaryText(run.path, { width, color: true });
      expect(colored).toContain('\u001b[32mbetter: ');
      expect(stripVTControlCharacters(colored)).toBe(text);
    }
  });

  test('lets nothing from the log steer the terminal', async () => {
    await using run = await RunFolder.make();
    const hostile = '\u001b[2J\u001b]0;title\u0007evil\r\n\u202e';
    run.append('run.started', { ...started, run: hostile, versions: { [hostile]: hostile } });
    run.append('evaluation', evaluationEvent(0, { [hostile]: [1, 0, 1] }));
    run.append('guard', { step: 0, guard: hostile, level: 'warn', message: hostile });
    const text = await summaryText(run.path, { width: 80, color: false });
    expect(text).not.toMatch(/[^\n\P{Cc}]|\u202e/u);
    expect(text).toContain('evil');
  });

  test('of a run without evaluations, or with one, says what is not known', async () => {
    await using run = await RunFolder.make();
    run.append('run.started', started);
    expect(await summaryText(run.path, { width: 80, color: false })).toContain('No evaluation was made');
    run.append('evaluation', evaluationEvent(0, { a: [0, 1, 1, 1] }));
    const text = await summaryText(run.path, { width: 80, color: false });
    expect(text).toMatch(/^category {2}n {2}score\na +4 +75$/m);
    expect(text.replaceAll('\n', ' ')).toContain('nothing to compare it with');
  });

  test('of no run is a coded error', async () => {
    await using run = await RunFolder.make();
    await expect(summaryText(run.path, { width: 80, color: false })).rejects.toMatchObject({ code: 'GVU_REPORT_RUN' });
  });
});

describe('the chart of characters', () => {
  const curve = (values: readonly (number | null)[]) => values.map((value, i) => ({ step: i + 1, value }));

  test('rises from the lower left to the upper right', () => {
    const lines = textChart(curve([0, 1, 2, 3]), { width: 16, rows: 3 });
    expect(lines).toEqual(
      ['3 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⡠⠔⠊', '  │⠀⠀⠀⠀⢀⡠⠔⠊⠁⠀⠀⠀⠀', '0 ┤⣀⠤⠒⠉⠁⠀⠀⠀⠀⠀⠀⠀⠀', '  └─────────────', '   1           4'].map(
        (line, i) => (i < 3 ? expect.stringMatching(new RegExp(`^${line.slice(0, 3)}[\u2800-\u28ff]{13}$`)) : line),
      ),
    );
    expect(lines[0]?.slice(3, 9)).toBe('\u2800'.repeat(6));
    expect(lines[2]?.slice(-6)).toBe('\u2800'.repeat(6));
    expect(lines[0]?.at(-1)).not.toBe('\u2800');
    expect(lines[2]?.at(3)).not.toBe('\u2800');
  });

  test('needs two numbers and some room', () => {
    expect(textChart(curve([1, null]), { width: 80 })).toEqual([]);
    expect(textChart(curve([1, 2]), { width: 10 })).toEqual([]);
    expect(textChart(curve([2, null, 2]), { width: 30 })).toHaveLength(7);
  });
});
