/** A small reproduction as it lies on the disk, with results that are known. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, type JsonValue } from '@gvu/core';
import type { RunEvents } from '@gvu/rl';
import type { ReproducedPlace, ScoreGroup } from '../src/reproduce/reproduction.ts';
import { type WordsResult, wordsFolder, writeWordsResult } from '../src/reproduce/words-file.ts';
import { evaluationEvent, png, started, stepEvent } from './run-folder.ts';

export const groups: readonly ScoreGroup[] = [
  { title: 'First bench', paper: 'Table 1', tags: ['easy', 'hard'] },
  { title: 'Second bench', paper: 'Table 3', tags: ['hard'] },
];

const arm = (base: 'weak' | 'regular', title: string, role: ReproducedPlace['role']) => ({
  arm: `${base}-${title.toLowerCase()}`,
  title,
  base,
  role,
});

/** Of 20 prompts in a category, how many are right before, half-way and after. */
const results = [
  { ...arm('weak', 'GvU', 'method'), seeds: 3, easy: [4, 12, 18], hard: [0, 6, 11] },
  { ...arm('weak', 'Random', 'control'), seeds: 3, easy: [4, 5, 4], hard: [0, 1, 0] },
  { ...arm('weak', 'Bag', 'baseline'), seeds: 3, easy: [4, 8, 12], hard: [0, 2, 4] },
  { ...arm('regular', 'GvU', 'method'), seeds: 3, easy: [10, 12, 15], hard: [5, 6, 8] },
  { ...arm('weak', 'Live', 'teacher'), seeds: 1, easy: [4, 4, 3], hard: [0, 0, 0] },
] as const;

export const places: readonly ReproducedPlace[] = results.flatMap(({ seeds, easy: _, hard: __, ...rest }) =>
  Array.from({ length: seeds }, (_, i) => ({ ...rest, seed: i + 1, folder: `${rest.arm}-seed${i + 1}` })),
);

export interface ReproducedFolder extends AsyncDisposable {
  readonly folder: string;
}

/** All runs, ended, with pictures, exams and words of both bases. */
export async function reproducedFolder(): Promise<ReproducedFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'gvu-reproduced-'));
  for (const place of places) {
    const result = results.find((other) => other.arm === place.arm);
    if (result) await writeRun(join(folder, place.folder), { ...result, seed: place.seed });
  }
  for (const base of ['weak', 'regular'] as const)
    await writeWordsResult(join(folder, wordsFolder(base)), wordsOf(base));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

type Result = (typeof results)[number] & { readonly seed: number };

async function writeRun(folder: string, { base, title, easy, hard, seed }: Result): Promise<void> {
  await using log = await EventLog.open(folder);
  const append = <Type extends keyof RunEvents>(type: Type, data: RunEvents[Type]) =>
    // Interfaces have no index signature, so the compiler does not see that these are JSON.
    log.append(type, data as unknown as JsonValue);
  const image = await log.putBlob(png, 'png');
  // A seed moves which prompts are right, so that seeds and prompts both vary.
  const judged = (right: number, count: number) =>
    Array.from({ length: 20 }, (_, i) => ((i + (count === 0 ? 0 : seed)) % 20 < right ? 1 : 0));
  const evaluation = (step: number, i: number) => {
    const event = evaluationEvent(
      step,
      { easy: judged(easy[i] ?? 0, i), hard: judged(hard[i] ?? 0, i) },
      { images: [image] },
    );
    const drawings = event.drawings.map((drawing, d) => ({
      ...drawing,
      rewards: { ...drawing.rewards, gvu: 0.2 + 0.1 * i + 0.001 * d + 0.01 * ((d + seed) % 3) },
    }));
    return {
      ...event,
      drawings,
      overall: { ...event.overall, gvu: 0.2 + 0.1 * i },
      judges: { detector: '1', gvu: '1' },
    };
  };
  const answers = (wrong: number) => Array.from({ length: 30 }, (_, i) => (i < wrong ? 0 : 1));
  const exam = (step: number, wrong: number) => {
    const list = answers(wrong);
    const score = { correct: 30 - wrong, n: 30, answers: list };
    append('exam', { step, name: 'reading', scores: { colours: score, counts: score } });
  };
  append('run.started', {
    ...started,
    config: { seed, steps: 20, promptsPerStep: 4, groupSize: 8, learningRate: 0.001 },
    backend: { ...started.backend, version: `1.2.3+${base}` },
  });
  append('evaluation', evaluation(0, 0));
  exam(0, 3);
  for (let step = 1; step <= 20; step++) {
    append(
      'step',
      stepEvent(step, { 'reward/mean': 0.3 + step / 100, 'reward/std': 0.05, kl: step / 1000 }, { steps: 20 }),
    );
    if (step === 10) append('evaluation', evaluation(10, 1));
  }
  append('evaluation', evaluation(20, 2));
  exam(20, title === 'GvU' ? 4 : 3);
  append('run.ended', { step: 20, reason: 'finished', message: 'All 20 steps are done.', seconds: 30 });
  await log.flush();
}

/** Removing words raises the reward by a little, replacing them lowers it by much. */
function wordsOf(base: string): WordsResult {
  return {
    base,
    folder: wordsFolder(base),
    backend: { name: 'shapes', version: `1.2.3+${base}` },
    wordings: { name: 'shapes', version: '1' },
    seed: 0,
    list: ['count', 'region'].flatMap((kind) =>
      Array.from({ length: 12 }, (_, i) => ({
        kind,
        full: `${kind} number ${i}`,
        removed: `number ${i}`,
        replaced: `other number ${i}`,
        rewards: { full: 0.5 + i / 100, removed: 0.55 + (i + (i % 3)) / 100, replaced: 0.2 + (i % 5) / 100 },
      })),
    ),
  };
}
