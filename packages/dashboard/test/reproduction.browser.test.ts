/** The report of `gvu reproduce` in a real browser, from a file: no request, everything within, readable on a phone. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EventLog, type JsonValue } from '@gvu/core';
import { type ReproducedPlace, readReproduction, wordsFolder, writeReproduction, writeWordsResult } from '@gvu/evals';
import type { RunEvents } from '@gvu/rl';
import { expect, test } from 'vitest';
import { launch, openPage, whyNoBrowser } from './browser.ts';

/** A PNG of one pixel. */
const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const image = `${createHash('sha256').update(pixel).digest('hex')}.png`;

const places: readonly ReproducedPlace[] = ['weak', 'regular'].map((base) => ({
  arm: `${base}-gvu`,
  title: 'GvU <b>"',
  base,
  role: 'method',
  seed: 1,
  folder: `${base}-gvu-seed1`,
}));

/** A run whose score rises from nothing to a half. */
async function writeRun(folder: string): Promise<void> {
  await using log = await EventLog.open(folder);
  const append = <Type extends keyof RunEvents>(type: Type, data: RunEvents[Type]) =>
    log.append(type, JSON.parse(JSON.stringify(data)) as JsonValue);
  const evaluation = (step: number): RunEvents['evaluation'] => ({
    step,
    seconds: 1,
    score: 'detector',
    judges: { detector: '1' },
    overall: { detector: step / 20, gvu: 0.5 },
    byTag: { colors: { n: 8, mean: { detector: step / 20 } } },
    drawings: Array.from({ length: 8 }, (_, i) => ({
      prompt: `a photo of http://example.org/${i} <script>`,
      tag: 'colors',
      sample: 0,
      rewards: { detector: i < (8 * step) / 20 ? 1 : 0, gvu: 0.5 },
      image: i === 0 ? image : null,
    })),
  });
  append('run.started', {
    run: 'one',
    config: { steps: 10, promptsPerStep: 2, groupSize: 4, learningRate: 0.001 },
    backend: { name: 'shapes', version: '1', parameters: 1_000_000, policy: 'autoregressive' },
    image: { width: 1, height: 1, decisions: 4 },
    trainable: 1000,
    versions: {},
  });
  append('evaluation', evaluation(0));
  for (let step = 1; step <= 10; step++)
    append('step', {
      step,
      steps: 10,
      seconds: 1,
      elapsedSeconds: step,
      metrics: { 'reward/mean': step, 'reward/std': 1 },
    });
  append('evaluation', evaluation(10));
  append('run.ended', { step: 10, reason: 'finished', message: '', seconds: 10 });
  await log.flush();
  await mkdir(join(folder, 'blobs'), { recursive: true });
  await writeFile(join(folder, 'blobs', image), pixel);
}

test.skipIf(whyNoBrowser !== undefined)(
  `the report needs nothing but itself ${whyNoBrowser ?? ''}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gvu-reproduction-'));
    const browser = await launch();
    try {
      for (const place of places) await writeRun(join(folder, place.folder));
      await writeWordsResult(join(folder, wordsFolder('weak')), {
        base: 'weak',
        folder: wordsFolder('weak'),
        backend: { name: 'shapes', version: '1' },
        wordings: { name: 'shapes', version: '1' },
        seed: 0,
        list: Array.from({ length: 4 }, (_, i) => ({
          kind: 'count',
          full: `full ${i}`,
          removed: 'removed',
          replaced: 'replaced',
          rewards: { full: 0.5 + i / 10, removed: 0.4, replaced: 0.1 },
        })),
      });
      const groups = [{ title: 'GenEval', paper: 'Table 1', tags: ['colors'] }];
      const reproduction = await readReproduction(folder, { groups, places });
      const { page: file } = await writeReproduction(reproduction, {
        folder,
        directory: join(folder, 'report'),
        facts: [],
      });
      const phone = { viewport: { width: 400, height: 800 } };
      await using open = await openPage(browser, pathToFileURL(file).href, phone);
      const { page, faults } = open;
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.reload();
      expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([pathToFileURL(file).href]);
      const pictures = await page
        .locator('img')
        .evaluateAll((all: HTMLImageElement[]) =>
          all.map(({ naturalWidth, alt }) => naturalWidth === 1 && alt.length > 20),
        );
      expect(pictures.length).toBeGreaterThan(3);
      expect(pictures).not.toContain(false);
      const figures = await page
        .locator('svg')
        .evaluateAll((all) => all.map((svg) => (svg.querySelector('desc')?.textContent ?? '').length > 20));
      expect(figures.length).toBeGreaterThan(5);
      expect(figures).not.toContain(false);
      expect(await page.locator('h3', { hasText: 'GvU <b>"' }).count()).toBeGreaterThan(0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
