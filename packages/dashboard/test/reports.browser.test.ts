/** Reports as whoever is sent one opens them: from the disk, in a browser without a network. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EventLog, fillNormal, type JsonValue, randomStream } from '@gvu/core';
import { readComparison, writeComparison, writeReport } from '@gvu/evals';
import type { EvaluationEvent, RunEvents } from '@gvu/rl';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, whyNoBrowser } from './browser.ts';

const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const tags = ['colors', 'counting'];
const steps = 30;

/** A run with everything that a report shows. */
async function writeRun(folder: string, seed: number): Promise<void> {
  await using log = await EventLog.open(folder);
  // The events are JSON, which their interfaces do not show.
  const append = <Type extends keyof RunEvents>(type: Type, data: RunEvents[Type]) =>
    log.append(type, data as unknown as JsonValue);
  const image = await log.putBlob(pixel, 'png');
  const noise = new Float32Array(steps * 8);
  fillNormal(noise, randomStream(seed, 'test/report').at());
  const evaluation = (step: number): EvaluationEvent => {
    const drawings = tags.flatMap((tag, t) =>
      Array.from({ length: 6 }, (_, i) => ({
        prompt: `a photo of ${tag} <${i}>`,
        tag,
        sample: 0,
        rewards: { detector: (i + t + (step > 0 ? seed : 0)) % 2, gvu: 0.1 + 0.001 * step },
        image: i < 2 ? image : null,
      })),
    );
    const mean = { detector: 0.5, gvu: 0.1 };
    return {
      step,
      seconds: 1,
      score: 'detector',
      overall: mean,
      byTag: Object.fromEntries(tags.map((tag) => [tag, { n: 6, mean }])),
      signs: { kl: step / 1000, saturation: 0.4, brightness: 0.5, sharpness: 0.1, diversity: null },
      drawings,
    };
  };
  append('run.started', {
    run: `run-${seed}`,
    config: { seed, steps, rewards: [{ use: 'gvu', weight: 1 }] },
    backend: { name: 'shapes', version: '1', parameters: 1_000_000, policy: 'autoregressive' },
    image: { width: 1, height: 1, decisions: 4 },
    trainable: 1000,
    versions: {},
  });
  append('evaluation', evaluation(0));
  for (let step = 1; step <= steps; step++) {
    append('step', {
      step,
      steps,
      seconds: 1,
      elapsedSeconds: step,
      metrics: {
        'reward/mean': 0.1 + 0.01 * (noise[step] ?? 0),
        'reward/std': 0.02,
        'reward/gvu': 0.1,
        kl: step / 1000,
        entropy: 2,
        diversity: 0.2,
        duplicates: 0,
        'gradient/norm': 1,
      },
    });
    append('rollout', {
      step,
      group: 0,
      sample: 0,
      seed,
      prompt: 'a photo of a red circle',
      tag: 'colors',
      reward: 0.1,
      rewards: { gvu: 0.1 },
      advantage: 0.5,
      traces: { gvu: { tokens: ['a', 'red', 'circle'], logProbs: [-0.1, -2, -0.3] } },
      teacher: { kind: 'frozen', version: '1', representation: 'emitted-tokens' },
      sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
      logProb: -1,
      image,
    });
  }
  append('evaluation', evaluation(steps));
  append('run.ended', { step: steps, reason: 'finished', message: 'Done.', seconds: steps });
  await log.flush();
}

describe.skipIf(whyNoBrowser !== undefined)(`reports in a browser ${whyNoBrowser ?? ''}`, () => {
  let folder: string;
  let browser: Browser;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gvu-reports-'));
    await Promise.all([1, 2, 3].map((seed) => writeRun(join(folder, `run-${seed}`), seed)));
    browser = await launch();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pages: readonly (readonly [what: string, write: () => Promise<string>])[] = [
    ['of a run', () => writeReport(join(folder, 'run-1'))],
    [
      'of a comparison',
      async () => {
        const places = ['gvu', 'random', 'detector'].map((arm, i) => ({ arm, seed: 1, folder: `run-${i + 1}` }));
        return await writeComparison(folder, await readComparison(folder, places));
      },
    ],
  ];

  it.each(pages)('%s: whole without the network, small, and every figure also in words', async (_, write) => {
    const path = await write();
    expect((await stat(path)).size).toBeLessThan(5_000_000);
    const url = pathToFileURL(path).href;
    const context = await browser.newContext({ offline: true });
    try {
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('console', (message) => faults.push(message.text()));
      page.on('request', (request) => {
        if (request.url() !== url && !request.url().startsWith('data:')) faults.push(`request to ${request.url()}`);
      });
      await page.goto(url);
      await page.getByRole('heading', { level: 1 }).waitFor();

      // As someone hears them who does not see them.
      const figures = await page.locator('svg, img, canvas, picture, object, video').evaluateAll((all) =>
        all.map((figure) => ({
          kind: figure.tagName.toLowerCase(),
          role: figure.getAttribute('role'),
          name: (figure.getAttribute('alt') ?? figure.querySelector(':scope > title')?.textContent ?? '').trim(),
          words: (figure.getAttribute('alt') ?? figure.querySelector(':scope > desc')?.textContent ?? '').trim(),
          shown: !(figure instanceof HTMLImageElement) || figure.naturalWidth > 0,
        })),
      );
      expect(figures.filter(({ kind }) => kind === 'svg').length).toBeGreaterThan(2);
      for (const { kind, role, name, words, shown } of figures) {
        expect(name, kind).not.toBe('');
        expect(words, name).not.toBe('');
        expect(shown, name).toBe(true);
        if (kind === 'svg') expect(role, name).toBe('img');
      }
      expect(await page.getByRole('img', { name: /\S/ }).count()).toBe(figures.length);

      // On a phone, nothing but tables and preformatted text scrolls sideways.
      await page.setViewportSize({ width: 400, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
      expect(faults).toEqual([]);
    } finally {
      await context.close();
    }
  });
});
