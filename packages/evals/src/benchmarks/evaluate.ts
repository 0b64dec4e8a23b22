/**
 * Runs a benchmark on a model: draws or asks, writes the official folder, has it judged, and sums up. Drawings and answers depend on
 * model, seed, prompt and its place in the benchmark alone: with fewer items or other batches they are the same.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type JsonValue, randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, Pixels } from '@gvu/models';
import { evalsErrors } from '../errors.ts';
import type {
  AnsweredQuestion,
  Benchmark,
  BenchmarkItem,
  DrawnImage,
  GenerationBenchmark,
  Mode,
  QuestionBenchmark,
  QuestionImage,
  Scores,
} from './benchmark.ts';
import { findContamination } from './contamination.ts';
import { fingerprint } from './files.ts';
import { hasAbility, type Judge } from './judge.ts';
import type { BenchmarkResult } from './result.ts';
import type { PromptRewriter } from './rewriter.ts';
import { summarise } from './summary.ts';

export interface EvaluateOptions {
  readonly backend: Backend;
  readonly adapter?: ActiveAdapter | undefined;
  /** What tells this adapter from others, for the result. */
  readonly adapterName?: string | undefined;
  /** Absent: draw only. Questions need none. */
  readonly judge?: Judge | undefined;
  readonly mode: Mode;
  readonly seed: number;
  /** Default: the official number. */
  readonly imagesPerPrompt?: number | undefined;
  /** At most as many items of each tag, the first ones. */
  readonly perTag?: number | undefined;
  readonly rewriter?: PromptRewriter | undefined;
  /** Prompts that the model was trained on. */
  readonly training?: readonly string[] | undefined;
  /** Where the official layout goes. */
  readonly folder?: string | undefined;
  /** Writes a PNG file. */
  readonly writeImage: (path: string, pixels: Pixels) => Promise<void>;
  /** An image of a question, in a form that the backend takes. */
  readonly readImage: (image: QuestionImage) => Promise<Pixels>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, all: number | null) => void;
}

export interface Evaluation {
  readonly result: BenchmarkResult;
  /** A row for each image or question, in the official format where there is one. */
  readonly records: readonly JsonValue[];
}

/** Drawings or questions that are given to the backend at a time. */
const batchSize = 32;

/**
 * Rejects with GVU_BENCHMARK_OPTIONS for options that do not fit, GVU_BENCHMARK_JUDGE before anything is drawn when the judge can do
 * nothing that the benchmark needs, and as the backend, the judge and the files do.
 */
export async function evaluate(benchmark: Benchmark, options: EvaluateOptions): Promise<Evaluation> {
  requireFitting(benchmark, options);
  const started = performance.now();
  const done =
    benchmark.kind === 'generation' ? await drawAndJudge(benchmark, options) : await askAndScore(benchmark, options);
  const { scores, prompts, items, of } = done;
  const { backend, judge, mode, adapter, rewriter } = options;
  const isDrawing = benchmark.kind === 'generation';
  return {
    records: scores?.records ?? [],
    result: {
      benchmark: { name: benchmark.name, version: benchmark.version, source: benchmark.source },
      mode,
      defects: mode === 'official' ? benchmark.defects : [],
      judge: isDrawing
        ? judge
          ? { name: judge.name, version: judge.version }
          : null
        : { name: 'rules', version: benchmark.version },
      model: {
        name: backend.name,
        version: backend.version,
        adapter: adapter ? (options.adapterName ?? 'an adapter') : null,
        parameters: backend.parameters,
      },
      seed: options.seed,
      sampler: isDrawing ? { ...backend.sampler } : null,
      promptHash: fingerprint(prompts),
      rewriter: rewriter ? { name: rewriter.name, version: rewriter.version } : null,
      items,
      imagesPerPrompt: isDrawing
        ? { drawn: options.imagesPerPrompt ?? benchmark.imagesPerPrompt, official: benchmark.imagesPerPrompt }
        : null,
      imageFormat: isDrawing ? 'png' : null,
      of: of === items ? null : of,
      contamination: options.training && isDrawing ? findContamination(prompts, options.training) : null,
      unscored: scores?.unscored ?? [],
      summary: scores ? summarise(scores, benchmark.overall) : null,
      scores: scores?.items ?? [],
      seconds: (performance.now() - started) / 1000,
    },
  };
}

function requireFitting(benchmark: Benchmark, { judge, rewriter, imagesPerPrompt, folder }: EvaluateOptions): void {
  const problems: string[] = [];
  if (benchmark.kind === 'understanding') {
    if (judge) problems.push('answers are held to the right ones, without a judge');
    if (rewriter) problems.push('questions are not rewritten');
    if (imagesPerPrompt !== undefined) problems.push('nothing is drawn');
  } else if (!judge && folder === undefined) {
    problems.push('without a judge and a folder, drawings would be of no use');
  }
  if (problems.length > 0)
    throw evalsErrors.error(
      'GVU_BENCHMARK_OPTIONS',
      `${benchmark.name} cannot be evaluated so: ${problems.join('; ')}.`,
      {
        hint: 'Leave out the option, or add what is missing.',
      },
    );
  if (benchmark.kind === 'generation' && judge && !benchmark.abilities.some((ability) => hasAbility(judge, ability)))
    throw evalsErrors.error(
      'GVU_BENCHMARK_JUDGE',
      `The judge '${judge.name}' can do nothing that ${benchmark.name} needs: ${benchmark.abilities.join(' or ')}.`,
      { hint: 'Choose another judge, or evaluate without one and score the written folder elsewhere.' },
    );
}

interface Done {
  readonly scores: Scores | null;
  /** As the model was given them. */
  readonly prompts: readonly string[];
  readonly items: number;
  readonly of: number;
}

async function drawAndJudge(benchmark: GenerationBenchmark, options: EvaluateOptions): Promise<Done> {
  const { judge, mode, signal = new AbortController().signal } = options;
  const items = firstOfTags(benchmark.items, options.perTag);
  const asked = items.map((item) => options.rewriter?.rewrite(item) ?? item.prompt);
  const batches = drawnBatches(benchmark, { items, asked, options, signal });
  let scores: Scores | null = null;
  if (judge) scores = await benchmark.score(batches, { judge, mode, signal });
  else for await (const _ of batches);
  return { scores, prompts: asked, items: items.length, of: benchmark.items.length };
}

/** Draws, and writes what it has drawn before anybody judges it. */
async function* drawnBatches(
  benchmark: GenerationBenchmark,
  given: {
    readonly items: readonly BenchmarkItem[];
    readonly asked: readonly string[];
    readonly options: EvaluateOptions;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<readonly DrawnImage[]> {
  const { items, asked, options, signal } = given;
  const { backend, adapter, seed, folder, onProgress } = options;
  const perPrompt = options.imagesPerPrompt ?? benchmark.imagesPerPrompt;
  const places = new Map(benchmark.items.map((item, i) => [item.id, i]));
  const stream = (use: string) => randomStream(seed, `benchmark/${use}`);
  const perBatch = Math.max(1, Math.floor(batchSize / perPrompt));
  for (let start = 0; start < items.length; start += perBatch) {
    signal.throwIfAborted();
    const batch = items.slice(start, start + perBatch);
    const requests = batch.flatMap((item, i) =>
      Array.from({ length: perPrompt }, (_, sample) => {
        const place = places.get(item.id) ?? 0;
        return { item, sample, place, prompt: asked[start + i] ?? item.prompt };
      }),
    );
    const drawings = await backend.draw(
      requests.map(({ prompt, place, sample }) => ({ prompt, randomness: stream('draw').at(place, sample) })),
      { adapter, signal },
    );
    const pictures = await backend.decode(
      drawings.map(({ tokens, prompt }, i) => {
        const { place = 0, sample = 0 } = requests[i] ?? {};
        return { tokens, prompt, randomness: stream('decode').at(place, sample) };
      }),
      { signal },
    );
    const images = requests.flatMap(({ item, sample }, i): DrawnImage[] => {
      const pixels = pictures[i];
      return pixels ? [{ item, sample, pixels }] : [];
    });
    if (folder !== undefined) await writeLayout(benchmark, images, { ...options, folder });
    onProgress?.(start + batch.length, items.length);
    yield images;
  }
}

async function writeLayout(
  benchmark: GenerationBenchmark,
  images: readonly DrawnImage[],
  { folder, writeImage }: { folder: string; writeImage: EvaluateOptions['writeImage'] },
): Promise<void> {
  for (const item of new Set(images.map((image) => image.item))) {
    const own = images.filter((image) => image.item === item).map(({ pixels }) => pixels);
    for (const { path, content } of benchmark.layout(item, own)) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      if (typeof content === 'string') await writeFile(file, content);
      else await writeImage(file, content);
    }
  }
}

async function askAndScore(benchmark: QuestionBenchmark, options: EvaluateOptions): Promise<Done> {
  const { backend, adapter, mode, perTag, readImage, signal, onProgress } = options;
  const answered: AnsweredQuestion[] = [];
  const seen = new Map<string, number>();
  const prompts: string[] = [];
  let all = 0;
  let waiting: { question: Omit<AnsweredQuestion, 'answer'>; image: QuestionImage }[] = [];
  const ask = async () => {
    signal?.throwIfAborted();
    const shown = await Promise.all(waiting.map(async ({ image }) => await readImage(image)));
    const answers = await backend.answer(
      waiting.map(({ question }, i) => {
        const pixels = shown[i];
        return { question: question.text, image: pixels ? { pixels } : { none: true } };
      }),
      { adapter, signal, maxTokens: benchmark.maxTokens },
    );
    for (const [i, { question }] of waiting.entries()) answered.push({ ...question, answer: answers[i] ?? '' });
    waiting = [];
    onProgress?.(answered.length, null);
  };
  for await (const { question, image } of benchmark.questions()) {
    all++;
    const before = seen.get(question.tag) ?? 0;
    if (perTag !== undefined && before >= perTag) continue;
    seen.set(question.tag, before + 1);
    prompts.push(question.text);
    waiting.push({ question, image });
    if (waiting.length === batchSize) await ask();
  }
  if (waiting.length > 0) await ask();
  return { scores: benchmark.score(answered, { mode }), prompts, items: answered.length, of: all };
}

function firstOfTags(items: readonly BenchmarkItem[], perTag: number | undefined): readonly BenchmarkItem[] {
  if (perTag === undefined) return items;
  const seen = new Map<string, number>();
  return items.filter(({ tag }) => {
    const before = seen.get(tag) ?? 0;
    seen.set(tag, before + 1);
    return before < perTag;
  });
}
