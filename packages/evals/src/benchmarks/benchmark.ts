/**
 * The contract of a benchmark: what is drawn or asked, the folder in which its authors' own script expects the images, and how images or
 * answers become scores. Statistics, drawing and files are not its business: `run-generation.ts`, `run-questions.ts` and `summary.ts`
 * do them alike for all.
 *
 * Where an official script does something that its authors can hardly have meant, mode `official` does the same and mode `fixed` does
 * not. Each such place has a name in `defects`, and a comment where it is.
 */
import { contributionPoint, type JsonValue } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import type { Judge, JudgeAbility } from './judge.ts';

export const modes = ['official', 'fixed'] as const;
export type Mode = (typeof modes)[number];

/** A defect of the official scoring, which mode `fixed` leaves out. */
export interface Defect {
  readonly id: string;
  readonly what: string;
}

interface BenchmarkFacts {
  readonly name: string;
  /** Changes whenever the same images or answers could get another score, and with the metadata. */
  readonly version: string;
  /** Where metadata and rules come from, for people. */
  readonly source: string;
  readonly defects: readonly Defect[];
  /** `tags` = the unweighted mean of the tags' scores, however many items each has; `items` = the mean over items. */
  readonly overall: 'tags' | 'items';
}

export interface BenchmarkItem {
  /** Unique within the benchmark, by which two runs are compared item by item. */
  readonly id: string;
  /** Its category. */
  readonly tag: string;
  readonly prompt: string;
  readonly metadata: JsonValue;
}

export interface DrawnImage {
  readonly item: BenchmarkItem;
  /** Which of the item's images: 0, 1, ... */
  readonly sample: number;
  readonly pixels: Pixels;
}

export interface GenerationBenchmark extends BenchmarkFacts {
  readonly kind: 'generation';
  readonly items: readonly BenchmarkItem[];
  /** Images of each prompt that the official protocol draws. */
  readonly imagesPerPrompt: number;
  /** What a judge must be able to do, any one of these. */
  readonly abilities: readonly JudgeAbility[];
  /** The files of one item, as the official script reads them. `images` are all images of the item, by sample. */
  layout(item: BenchmarkItem, images: readonly Pixels[]): readonly OutputFile[];
  /**
   * Each batch holds whole items, one after the other, the images of an item by sample; they come as they are drawn, since all of them
   * together may be larger than memory. Rejects with GVU_BENCHMARK_JUDGE for a judge without the ability.
   */
  score(batches: AsyncIterable<readonly DrawnImage[]>, options: ScoreOptions): Promise<Scores>;
}

/** A path below the output folder, with slashes. */
export interface OutputFile {
  readonly path: string;
  readonly content: Pixels | string;
}

export interface ScoreOptions {
  readonly judge: Judge;
  readonly mode: Mode;
  readonly signal: AbortSignal;
}

export interface AskedQuestion {
  readonly id: string;
  readonly tag: string;
  /** What is chance together, such as questions about one image; the bootstrap draws these. */
  readonly cluster: string;
  /** What the model is asked, whole. */
  readonly text: string;
  /** What the answer is held to. */
  readonly reference: JsonValue;
}

/** `bytes` of an image file, or the path of one. */
export type QuestionImage = { readonly bytes: Uint8Array } | { readonly file: string };

export interface AnsweredQuestion extends AskedQuestion {
  readonly answer: string;
}

export interface QuestionBenchmark extends BenchmarkFacts {
  readonly kind: 'understanding';
  /** In a fixed order. Read as they are asked: the files are larger than memory. */
  questions(): AsyncIterable<{ readonly question: AskedQuestion; readonly image: QuestionImage }>;
  /** The longest answer that makes sense, in tokens. */
  readonly maxTokens: number;
  score(answered: readonly AnsweredQuestion[], options: { readonly mode: Mode }): Scores;
}

export type Benchmark = GenerationBenchmark | QuestionBenchmark;

/** The score of an item: of a prompt, over its images; of a question, over the ways in which it was asked. */
export interface ItemScore {
  readonly id: string;
  readonly tag: string;
  /** Default: the item is by itself. */
  readonly cluster?: string;
  /** 0 to 1. */
  readonly value: number;
}

/** A further number that is no mean of items, such as F1. */
export interface ExtraMetric {
  readonly name: string;
  /** Of a resampled list of items, by index into `items`; an index may occur several times. */
  readonly of: (items: readonly number[]) => number;
}

export interface Scores {
  readonly items: readonly ItemScore[];
  /** Further means by category that the official script prints; they are not part of the overall score. */
  readonly secondary?: readonly ItemScore[];
  readonly extra?: readonly ExtraMetric[];
  /** Items without a score, and why. They are not counted in any mean. */
  readonly unscored: readonly { readonly id: string; readonly why: string }[];
  /** A row for each image or question, in the official format where there is one. */
  readonly records: readonly JsonValue[];
}

export const benchmarks = contributionPoint<Benchmark>({
  kind: 'benchmarks',
  description: 'Published tests of drawing and reading, with their own rules.',
});
