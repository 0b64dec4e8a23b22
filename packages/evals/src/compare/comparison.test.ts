/** Comparisons of simulated runs whose truth is known. */
import { fillNormal, randomStream } from '@gvu/core';
import type { EvaluatedDrawing, EvaluationEvent } from '@gvu/rl';
import { describe, expect, it } from 'vitest';
import { started, stepEvent } from '../../test/run-folder.ts';
import type { RunRecord } from '../run-record.ts';
import { type ComparedRun, judgesOf } from './compared-runs.ts';
import { compareRewards } from './comparison.ts';
import { meanCurve } from './curves.ts';
import { comparisonTables } from './tables.ts';

const tags = ['colors', 'counting'];
const perTag = 20;

interface Effects {
  /** What training adds to each judge's values. */
  readonly detector: number;
  readonly own?: number;
}

/** A run whose detector scores rise by `detector`, with noise by prompt, and by seed. */
function run(arm: string, seed: number, { detector, own = 0 }: Effects): ComparedRun {
  const noise = new Float32Array(4 * tags.length * perTag);
  fillNormal(noise, randomStream(seed, `test/${arm}`).at());
  const shared = new Float32Array(tags.length * perTag);
  fillNormal(shared, randomStream(0, 'test/prompts').at());
  const drawings = (trained: boolean): EvaluatedDrawing[] =>
    tags.flatMap((tag, t) =>
      Array.from({ length: perTag }, (_, i) => {
        const k = t * perTag + i;
        const level = 0.4 + 0.1 * (shared[k] ?? 0);
        const change = trained ? detector + 0.02 * (noise[k] ?? 0) : 0;
        return {
          prompt: `${tag} ${i}`,
          tag,
          sample: 0,
          rewards: {
            detector: level + change,
            [arm]: -2 + (trained ? own : 0) + (trained ? 0.05 * (noise[k + 40] ?? 0) : 0),
            gvu: -1,
          },
          image: null,
        };
      }),
    );
  const evaluation = (step: number): EvaluationEvent => ({
    step,
    seconds: 1,
    score: 'detector',
    overall: { detector: 0, gvu: 0 },
    byTag: {},
    drawings: drawings(step > 0),
    signs: { kl: step / 100 },
  });
  const record: RunRecord = {
    started: { ...started, config: { seed, rewards: [{ use: arm, weight: 1 }] } },
    startedAt: '2026-01-01T00:00:00.000Z',
    ended: { step: 4, reason: 'finished', message: '', seconds: 60 },
    endedAt: '2026-01-01T00:01:00.000Z',
    steps: [1, 2, 3, 4].map((step) =>
      stepEvent(step, { diversity: 0.2, entropy: 2, duplicates: 0, 'reward/mean': step }),
    ),
    rollouts: [],
    evaluations: [evaluation(0), evaluation(4)],
    exams: [0, 4].map((step) => ({
      step,
      name: 'shapes',
      scores: { retrieval: { correct: 2, n: 4, answers: step === 0 ? [1, 1, 0, 0] : [1, 1, 1, 0] } },
    })),
    guards: [],
  };
  return { arm, seed, folder: `${arm}-${seed}`, record };
}

const runsOf = (arms: Readonly<Record<string, Effects>>, seeds = [1, 2, 3]) =>
  seeds.flatMap((seed) => Object.entries(arms).map(([arm, effects]) => run(arm, seed, effects)));

describe('a comparison', () => {
  const found = compareRewards(runsOf({ gvu: { detector: 0.1 }, random: { detector: 0 }, other: { detector: 0.1 } }));

  it('finds what was put in, overall and by category', () => {
    const [gvu, random] = found.arms;
    expect(gvu?.overall.mean).toBeCloseTo(0.1, 2);
    expect(gvu?.overall.interval?.[0]).toBeGreaterThan(0.05);
    expect([...(gvu?.strata.keys() ?? [])]).toEqual(tags);
    expect(Math.abs(random?.overall.mean ?? 1)).toBeLessThan(0.01);
    expect(gvu).toMatchObject({
      kl: [0.04, 0.04, 0.04],
      entropy: [2, 2, 2],
      seconds: [60, 60, 60],
      own: ['gvu'],
      cutShort: [],
    });
    // One answer of four became right, whatever the seed.
    expect(gvu?.exam).toMatchObject({ n: 4, mean: 0.25 });
    expect(found).toMatchObject({ score: 'detector', prompts: 40, leftOut: 0, seeds: [1, 2, 3] });
  });

  it('says only what the intervals allow', () => {
    const text = found.verdict.join('\n');
    expect(text).toMatch(/^gvu is better than the base by detector: \+\d/m);
    expect(text).toMatch(/^random cannot be told from the base by detector/m);
    expect(text).toMatch(/^gvu is better than random: \+\d/m);
    expect(text).toMatch(/^other is better than random: \+\d/m);
    expect(text).toContain('No difference can be told between gvu and other.');
    expect(text).not.toMatch(/seed/);
  });

  it('widens the intervals of pairs for their number', () => {
    const alone = compareRewards(runsOf({ gvu: { detector: 0.1 }, random: { detector: 0 } }));
    const width = ({ pairs }: typeof alone) =>
      (pairs[0]?.difference.interval?.[1] ?? 0) - (pairs[0]?.difference.interval?.[0] ?? 0);
    expect(width(found)).toBeGreaterThan(1.2 * width(alone));
  });

  it('warns of a reward that rose without the score, of the judge as reward, and of few seeds', () => {
    const arms = { detector: { detector: 0.2 }, hacked: { detector: 0, own: 1 } };
    const judged = runsOf(arms, [5]).map((entry) => ({ ...entry, record: withJudge(entry.record, 'hacked') }));
    const text = compareRewards(judged).verdict.join('\n');
    expect(text).toContain('detector was trained on detector, the judge itself');
    expect(text).toMatch(/hacked raised its own reward \(hacked: \+1\.\d+ \[/);
    expect(text).toContain('One seed: the intervals are over prompts alone');
    // A reward that has a name goes by it.
    const named = judged.map((entry) => {
      const config = { rewards: [{ use: 'clip-score', name: entry.arm, weight: 1 }] };
      return { ...entry, record: { ...entry.record, started: { ...entry.record.started, config } } };
    });
    expect(compareRewards(named).verdict.join('\n')).toBe(text);
  });

  it('leaves out of all runs what one could not judge', () => {
    const runs = runsOf({ gvu: { detector: 0.1 }, random: { detector: 0 } });
    const [first] = runs;
    const last = first?.record.evaluations[1];
    if (!first || !last) throw new Error('there is a run');
    const drawings = last.drawings.map((drawing, i) =>
      i < 3 ? { ...drawing, rewards: { detector: null, gvu: -1 } } : drawing,
    );
    const broken = {
      ...first,
      record: { ...first.record, evaluations: [first.record.evaluations[0] ?? last, { ...last, drawings }] },
    };
    expect(compareRewards([broken, ...runs.slice(1)])).toMatchObject({ leftOut: 3, prompts: 37 });
  });

  it('refuses runs that do not belong together, naming every problem', () => {
    const runs = runsOf({ gvu: { detector: 0 }, random: { detector: 0 } }, [1, 2]);
    const other = { ...started, backend: { ...started.backend, version: '9' } };
    const wrong = runs
      .slice(1)
      .map((entry, i) => (i === 0 ? { ...entry, record: { ...entry.record, started: other } } : entry));
    const once = wrong.map((entry, i) =>
      i === 2 ? { ...entry, record: { ...entry.record, evaluations: [] } } : entry,
    );
    expect(() => compareRewards(once)).toThrow(
      /GVU_EVALS_COMPARISON.*gvu has 0 runs with seed 1.*'random-2' has 0 evaluations/,
    );
    expect(() => compareRewards([])).toThrow('there are no runs');
  });

  it('has tables of one width, and curves where all seeds have a point', () => {
    for (const { table } of comparisonTables(found))
      for (const row of table.rows) expect(row).toHaveLength(table.head.length);
    const curves = [
      [
        { step: 0, value: 1 },
        { step: 1, value: 2 },
        { step: 2, value: null },
      ],
      [
        { step: 0, value: 3 },
        { step: 2, value: 5 },
      ],
    ];
    expect(meanCurve(curves)).toEqual([
      { step: 0, value: 2 },
      { step: 2, value: null },
    ]);
    expect(judgesOf(found.runs)).toEqual(['detector', 'gvu']);
  });
});

/** The record with one more reward among its judges. */
function withJudge(record: RunRecord, judge: string): RunRecord {
  const evaluations = record.evaluations.map((evaluation) => ({
    ...evaluation,
    overall: { ...evaluation.overall, [judge]: 0 },
    drawings: evaluation.drawings.map((drawing) => ({ ...drawing, rewards: { [judge]: 0, ...drawing.rewards } })),
  }));
  return { ...record, evaluations };
}
