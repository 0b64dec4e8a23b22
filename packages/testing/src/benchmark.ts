/**
 * The conformance kit of benchmarks: what is asked has names that two runs can be compared by, files stay in their folder, and scores are of the
 * images or answers alone. It knows no official numbers: agreement with the authors' own script is for the benchmark's own tests.
 */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { isGvuError } from '@gvu/core';
import {
  type Benchmark,
  type DrawnImage,
  type GenerationBenchmark,
  type Judge,
  modes,
  type QuestionBenchmark,
  type Scores,
} from '@gvu/evals';
import type { Pixels } from '@gvu/models';
import type { ConformanceCheck } from './check.ts';

export interface BenchmarkConformanceOptions {
  readonly create: () => Benchmark | Promise<Benchmark>;
}

/** So many items are drawn, or questions asked: enough to see what does not fit together. */
const sampleSize = 6;
const { signal } = new AbortController();

export function benchmarkConformance(options: BenchmarkConformanceOptions): readonly ConformanceCheck[] {
  const create = async () => await options.create();
  return [
    {
      name: 'says what it is, in the terms of the contract',
      async run() {
        const benchmark = await create();
        const { name, version, source, defects, overall } = benchmark;
        assert.ok(name !== '' && version !== '' && source !== '', 'name, version and source say something');
        assert.ok(overall === 'tags' || overall === 'items', `the overall score is of ${overall}`);
        assertUnique(
          defects.map(({ id }) => id),
          'defects',
        );
        assert.equal((await create()).version, version, 'two instances with the same options have one version');
      },
    },
    {
      name: 'asks for the same things in the same order, each under a name of its own',
      async run() {
        const benchmark = await create();
        const asked = await askedBy(benchmark);
        assert.ok(asked.length > 0, 'it asks for nothing');
        assertUnique(
          asked.map(({ id }) => id),
          'items',
        );
        for (const { id, tag, text } of asked)
          assert.ok(tag.trim() !== '' && text.trim() !== '', `'${id}' has no category or no text`);
        assert.deepEqual(await askedBy(await create()), asked, 'another instance asks for other things');
      },
    },
    {
      name: 'writes files inside its folder, each once',
      async run() {
        const benchmark = await create();
        if (benchmark.kind !== 'generation') return;
        const count = benchmark.imagesPerPrompt;
        assert.ok(Number.isInteger(count) && count >= 1, `it draws ${count} images of a prompt`);
        const images = Array.from({ length: count }, (_, sample) => picture(sample));
        const files = benchmark.items.flatMap((item) => benchmark.layout(item, images));
        const pictures = files.filter(({ content }) => typeof content !== 'string');
        assert.ok(pictures.length >= benchmark.items.length, 'every item has a picture in the folder');
        for (const { path } of files)
          assert.ok(
            path === posix.normalize(path) && !path.startsWith('/') && !path.startsWith('..') && !path.includes('\\'),
            `'${path}' is no plain path below the folder`,
          );
        assertUnique(
          pictures.map(({ path }) => path),
          'files of pictures',
        );
      },
    },
    {
      name: 'scores from 0 to 1 what it asked for, and says why where it cannot',
      async run() {
        for (const mode of modes) {
          const benchmark = await create();
          const { scores, ids } = await scored(benchmark, { mode });
          for (const { id, value, tag } of [...scores.items, ...(scores.secondary ?? [])])
            assert.ok(
              value >= 0 && value <= 1 && tag !== '',
              `'${id}' (${tag}) has the score ${value}, in mode ${mode}`,
            );
          for (const { id, why } of scores.unscored) assert.ok(why !== '', `'${id}' is unscored for no reason`);
          assert.ok(
            scores.items.length + scores.unscored.length > 0,
            `mode ${mode} neither scores anything nor says why`,
          );
          if (benchmark.kind !== 'generation') continue;
          const found = new Set([...scores.items, ...scores.unscored].map(({ id }) => id));
          assert.deepEqual(found, new Set(ids), `in mode ${mode} each item has a score or a reason`);
        }
      },
    },
    {
      name: 'scores the same again, however images come in batches',
      async run() {
        const plain = (await scored(await create(), { mode: 'official' })).scores.items;
        for (const itemsPerBatch of [sampleSize, 1])
          assert.deepEqual((await scored(await create(), { mode: 'official', itemsPerBatch })).scores.items, plain);
      },
    },
    {
      name: 'scores nothing by a judge that cannot do what it needs',
      async run() {
        const benchmark = await create();
        if (benchmark.kind !== 'generation' || benchmark.abilities.length === 0) return;
        const unable: Judge = { name: 'unable', version: '1' };
        const score = () => benchmark.score(batches(benchmark, 1), { judge: unable, mode: 'official', signal });
        const scores = await score().catch((error: unknown) => {
          assert.ok(isGvuError(error, 'GVU_BENCHMARK_JUDGE'), `it must refuse with a code, not with ${String(error)}`);
        });
        assert.deepEqual(scores?.items ?? [], [], 'a judge without abilities gives scores');
      },
    },
  ];
}

interface Asked {
  readonly id: string;
  readonly tag: string;
  readonly text: string;
}

async function askedBy(benchmark: Benchmark): Promise<readonly Asked[]> {
  if (benchmark.kind === 'generation') return benchmark.items.map(({ id, tag, prompt }) => ({ id, tag, text: prompt }));
  const asked: Asked[] = [];
  for await (const { question } of benchmark.questions())
    asked.push({ id: question.id, tag: question.tag, text: question.text });
  return asked;
}

interface ScoringOptions {
  readonly mode: (typeof modes)[number];
  readonly itemsPerBatch?: number;
}

/** The first items, drawn as plain pictures or answered by their own reference and by nonsense in turn. */
async function scored(
  benchmark: Benchmark,
  { mode, itemsPerBatch = 2 }: ScoringOptions,
): Promise<{ scores: Scores; ids: readonly string[] }> {
  if (benchmark.kind === 'understanding') return { scores: await answered(benchmark, mode), ids: [] };
  const scores = await benchmark.score(batches(benchmark, itemsPerBatch), { judge, mode, signal });
  return { scores, ids: benchmark.items.slice(0, sampleSize).map(({ id }) => id) };
}

async function answered(benchmark: QuestionBenchmark, mode: ScoringOptions['mode']): Promise<Scores> {
  const questions = [];
  for await (const { question } of benchmark.questions()) questions.push(question);
  const answerOf = (reference: unknown, i: number) => (i % 2 === 0 ? JSON.stringify(reference) : 'nonsense');
  return benchmark.score(
    questions.map((question, i) => ({ ...question, answer: answerOf(question.reference, i) })),
    { mode },
  );
}

async function* batches(
  { items, imagesPerPrompt }: GenerationBenchmark,
  itemsPerBatch: number,
): AsyncGenerator<readonly DrawnImage[]> {
  const chosen = items.slice(0, sampleSize);
  for (let from = 0; from < chosen.length; from += itemsPerBatch)
    yield chosen
      .slice(from, from + itemsPerBatch)
      .flatMap((item) =>
        Array.from({ length: imagesPerPrompt }, (_, sample) => ({ item, sample, pixels: picture(sample) })),
      );
}

function picture(brightness: number): Pixels {
  return { width: 4, height: 4, data: new Uint8Array(48).fill(60 + 40 * brightness) };
}

/** Can do everything, and says what follows from the words alone. */
const judge: Judge = {
  name: 'the conformance kit',
  version: '1',
  detect: async (images) =>
    images.map(({ classes }) =>
      classes
        .slice(0, 1)
        .map((name) => ({ class: name, confidence: 0.9, box: { left: 0, top: 0, right: 3, bottom: 3 } })),
    ),
  answer: async (questions) => questions.map(({ question }) => (question.length % 2 === 0 ? 'yes' : 'no')),
  probability: async (questions) => questions.map(({ question }) => (question.length % 10) / 10),
  similarity: async (pairs) => pairs.map(({ text }) => (text.length % 10) / 10),
};

function assertUnique(names: readonly string[], what: string): void {
  const twice = repeated(names);
  assert.ok(twice === undefined, `two ${what} are called '${twice}'`);
}

function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}
