import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { evaluationEvent, judgements, png, RunFolder, rolloutEvent, started, stepEvent } from '../test/run-folder.ts';
import { tagBalance } from '../test/tag-balance.ts';
import { writeReport } from './report.ts';

async function report(run: RunFolder): Promise<{ page: string; markdown: string }> {
  const path = await writeReport(run.path);
  expect(path).toBe(join(run.path, 'report', 'index.html'));
  expect((await readdir(dirname(path))).sort()).toEqual(['index.html', 'index.md']);
  const [page, markdown] = [await readFile(path, 'utf8'), await readFile(join(dirname(path), 'index.md'), 'utf8')];
  expect(tagBalance(page)).toEqual([]);
  expectSelfContained(page);
  expect(page.length).toBeLessThan(5_000_000);
  return { page, markdown };
}

/** Nothing is loaded from anywhere, and every picture has words. */
function expectSelfContained(page: string): void {
  expect(page).not.toMatch(/<(?:script|link|iframe|object|a) ?/);
  expect(page).not.toMatch(/@import|url\(/);
  for (const [, uri] of page.matchAll(/ (?:src|href)="([^"]*)"/g)) expect(uri).toMatch(/^data:image\/png;base64,/);
  for (const [image] of page.matchAll(/<img [^>]*>/g)) expect(image).toMatch(/ alt="[^"]+"/);
  for (const [chart] of page.matchAll(/<svg [\s\S]*?<\/svg>/g))
    expect(chart).toMatch(/<title>[^<]+<\/title>\s*<desc>[^<]+<\/desc>/);
}

test('a whole run: table, verdict, curves, pictures, traces, exam, guards, configuration', async () => {
  await using run = await RunFolder.make();
  const image = await run.image();
  run.append('run.started', started);
  const [low, high] = [
    { share: 0.2, seed: 1 },
    { share: 0.9, seed: 2 },
  ];
  run.append('evaluation', evaluationEvent(0, { a: judgements(24, low), b: judgements(24, low) }, { images: [image] }));
  run.append('exam', { step: 0, name: 'shapes', scores: { retrieval: { correct: 91, n: 100 } } });
  for (const step of [1, 2, 3, 4]) {
    run.append(
      'step',
      stepEvent(step, {
        'reward/mean': step / 10,
        'reward/std': 0.05,
        kl: 0.01 * step,
        entropy: 2,
        'gradient/norm': null,
      }),
    );
    run.append('rollout', rolloutEvent({ step, image }));
  }
  run.append(
    'evaluation',
    evaluationEvent(2, { a: judgements(24, low), b: judgements(24, high) }, { images: [image] }),
  );
  run.append(
    'evaluation',
    evaluationEvent(4, { a: judgements(24, high), b: judgements(24, high) }, { images: [image] }),
  );
  run.append('exam', { step: 4, name: 'shapes', scores: { retrieval: { correct: 90, n: 100 } } });
  run.append('guard', { step: 3, guard: 'ties', level: 'warn', message: 'look at the rewards' });
  run.append('run.ended', { step: 4, reason: 'finished', message: 'done', seconds: 552 });

  const { page, markdown } = await report(run);
  for (const text of ['better: +', 'shapes: retrieval', 'finished: 4 of 4 steps in 9 min 12 s', 'shapes 1.2.3']) {
    expect(page).toContain(text);
    expect(markdown.replaceAll('\\', '')).toContain(text);
  }
  expect(page).toContain('Step 3, warn: ties: look at the rewards');
  for (const title of [
    'Reward, with its mean spread within groups',
    'Score by evaluation',
    'KL from the reference',
    'Entropy of the policy',
  ]) {
    expect(page).toContain(`<title>${title}</title>`);
  }
  expect(page).not.toContain('<title>Gradient norm</title>');
  // Two categories before and after, the same across three evaluations, and four recorded drawings.
  expect(page.match(/<img /g)).toHaveLength(2 * 2 + 2 * 3 + 4);
  expect(page).toContain('class="pixels"');
  expect(page).toContain(`data:image/png;base64,${png.toString('base64')}`);
  expect(page).toContain('--shade:63%');
  expect(page).toContain('&quot;weight&quot;: 1');
  expect(page).toMatch(/teacher<\/dt><dd>frozen \(emitted-tokens\), state base/);
  // The same numbers in both.
  const overall = page.match(/<td>overall<\/td>((?:<td>[^<]*<\/td>)+)/)?.[1]?.match(/[^<>]+(?=<\/td>)/g);
  expect(overall).toHaveLength(5);
  const row = markdown.split('\n').find((line) => line.startsWith('| **overall**')) ?? '';
  for (const cell of overall ?? []) expect(row.replaceAll('\\', '')).toContain(`**${cell}**`);
});

test('what comes from data cannot become anything but text', async () => {
  await using run = await RunFolder.make();
  const image = await run.image();
  const hostile = `<script src="https://example.org/x.js">alert(1)</script>" onerror='x' & \u202e\u0000 ]]> --> </style></title>|\``;
  run.append('run.started', {
    ...started,
    run: hostile,
    config: { [hostile]: hostile, seed: 1, rewards: [{ use: hostile, weight: 2 }, null], algorithm: hostile },
    backend: { ...started.backend, name: hostile, version: hostile },
    versions: { [hostile]: hostile },
  });
  for (const step of [0, 1, 2]) {
    const event = evaluationEvent(step, { [hostile]: [0, 1, 0.5], __proto__x: [1] }, { images: [image] });
    const drawings = event.drawings.map((drawing) => ({
      ...drawing,
      prompt: hostile,
      rewards: { ...drawing.rewards, [hostile]: 1 },
    }));
    run.append('evaluation', { ...event, score: 'detector', drawings });
  }
  run.append('step', stepEvent(1, { 'reward/mean': 1, [`reward/${hostile}`]: 1, 'reward/b': 2 }));
  run.append(
    'rollout',
    rolloutEvent({
      prompt: hostile,
      traces: { [hostile]: { tokens: [hostile, ''], logProbs: [-1] } },
      rewards: { [hostile]: null },
      image,
    }),
  );
  run.append('exam', { step: 0, name: hostile, scores: { [hostile]: { correct: 1, n: 2 } } });
  run.append('guard', { step: 1, guard: hostile, level: 'stop', message: hostile });
  run.append('run.ended', { step: 1, reason: 'failed', message: hostile, seconds: 1 });

  const { page, markdown } = await report(run);
  expect(page).toContain('&lt;script src=&quot;https://example.org/x.js&quot;&gt;');
  expect(page).not.toMatch(/[^\n\P{Cc}]|\u202e/u);
  const outside = markdown.slice(0, markdown.indexOf('## Configuration'));
  expect(outside).not.toMatch(/(?<!\\)</);
  expect(outside).not.toMatch(/(?<!\\):\/\//);
});

describe('runs that are not whole', () => {
  test('just started', async () => {
    await using run = await RunFolder.make();
    run.append('run.started', started);
    const { page, markdown } = await report(run);
    expect(page).toContain('No evaluation was made');
    expect(markdown).toContain('No evaluation was made');
    expect(page).toContain('not ended: 0 steps in unknown time so far');
  });

  test('one evaluation, which is shown and not compared', async () => {
    await using run = await RunFolder.make();
    run.append('run.started', started);
    run.append('evaluation', evaluationEvent(0, { a: [0, 1, 1, 1] }, { images: [await run.image()] }));
    run.append('step', stepEvent(1, { 'reward/mean': null }));
    const { page } = await report(run);
    expect(page).toContain('nothing to compare it with');
    expect(page).toContain('<td>a</td><td>4</td><td>75</td>');
    expect(page.match(/<img /g)).toHaveLength(1);
    expect(page).not.toContain('<svg');
  });

  test('no pictures, unscored drawings', async () => {
    await using run = await RunFolder.make();
    run.append('run.started', started);
    for (const step of [0, 5]) run.append('evaluation', evaluationEvent(step, { a: [null, null] }));
    const { page } = await report(run);
    expect(page).not.toContain('<img');
    expect(page).toContain('nothing to compare it with');
  });

  test('pictures that are gone, are none, or have no proper name', async () => {
    await using run = await RunFolder.make();
    const text = await run.image(Buffer.from('<svg onload="alert(1)"/>'));
    const gone = `${'0'.repeat(64)}.png`;
    run.append('run.started', started);
    for (const step of [0, 5]) {
      run.append('evaluation', evaluationEvent(step, { a: [0, 1, 1] }, { images: [text, gone, '../../etc/passwd'] }));
    }
    const { page } = await report(run);
    expect(page).not.toContain('<img');
    expect(page.match(/no picture<\/span>/g)).toHaveLength(6);
    expect(page).toContain('6 pictures are not shown');
  });
});

test('a page of large pictures and long texts stays below 5 MB', async () => {
  await using run = await RunFolder.make();
  const long = '&'.repeat(100_000);
  run.append('run.started', { ...started, config: { long }, image: { width: 1024, height: 1024, decisions: 64 } });
  const large = await Promise.all([1, 2, 3, 4].map((n) => run.image(Buffer.concat([png, Buffer.alloc(500_000, n)]))));
  const scores = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}${long.slice(0, 300)}`, [0, 1]]));
  for (const step of [0, 5, 9]) run.append('evaluation', evaluationEvent(step, scores, { images: large }));
  for (let step = 1; step <= 3000; step++)
    run.append('step', stepEvent(step, { 'reward/mean': step, 'reward/std': 1, kl: step }));
  const { page } = await report(run);
  expect(page).toMatch(/\d+ pictures are not shown/);
  expect(page).toContain('and 201 more');
  expect(page).toContain('class="photo"');
});

test('a report is written anew, and a folder without a run gets none', async () => {
  await using run = await RunFolder.make();
  await expect(writeReport(run.path)).rejects.toMatchObject({ code: 'GVU_REPORT_RUN' });
  expect(await readdir(run.path)).not.toContain('report');
  run.append('run.started', started);
  const first = await report(run);
  run.append('step', stepEvent(1, { 'reward/mean': 1 }));
  expect((await report(run)).page).not.toBe(first.page);
});

test('a place that cannot be written to is a coded error', async () => {
  await using run = await RunFolder.make();
  run.append('run.started', started);
  await writeFile(join(run.path, 'report'), 'a file where the directory should be');
  await expect(writeReport(run.path)).rejects.toMatchObject({ code: 'GVU_REPORT_WRITE' });
});
