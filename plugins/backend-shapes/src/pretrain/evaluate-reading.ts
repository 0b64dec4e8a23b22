/**
 * How well a model reads clean images: the right prompt among others, words exchanged, questions. Everything is a pure function
 * of the weights and a seed.
 */
import { randomStream } from '@gvu/core';
import type { Codes, ShapesModel } from '../model/shapes-model.ts';
import {
  type Catalogue,
  createProbes,
  describeInstruction,
  renderScene,
  type Scene,
  swapKinds,
  type World,
} from '../world/index.ts';
import { argmax, type EvaluationOptions, inBatches, mean, type Score, scoreOf } from './evaluation.ts';

/** A text to be read from an image, bytes [3, 64, 64]; without an instruction, as a description. */
export interface TextOfImage {
  readonly pixels: Uint8Array;
  readonly instruction?: string;
  readonly text: string;
}

/** Whatever reads: the log-probability of each word of each text, in nats, without the end. */
export type TextReader = (requests: readonly TextOfImage[]) => Promise<readonly (readonly number[])[]>;

/** A model as a reader; it encodes each image once. */
export function modelReader(model: ShapesModel): TextReader {
  return async (requests) => {
    const images = [...new Set(requests.map(({ pixels }) => pixels))];
    const encoded = await inBatches(images, (batch) => model.encode(batch));
    const codesOf = new Map(images.map((image, i) => [image, encoded[i] ?? []]));
    return wordLogProbs(
      model,
      requests.map(({ pixels, instruction, text }) => ({ codes: codesOf.get(pixels) ?? [], instruction, text })),
    );
  };
}

/** Mean log-probability of the words of each prompt given each image (GvU's reward is its exponential), without the end. */
export async function promptLogProbs(
  model: ShapesModel,
  pairs: readonly { readonly codes: Codes; readonly prompt: string }[],
): Promise<number[]> {
  const rows = pairs.map(({ codes, prompt }) => ({ codes, text: prompt }));
  return (await wordLogProbs(model, rows)).map(mean);
}

function wordLogProbs(
  model: ShapesModel,
  rows: readonly { readonly codes: Codes; readonly instruction?: string | undefined; readonly text: string }[],
): Promise<number[][]> {
  const { words } = model.ids;
  return inBatches(rows, async (batch) => {
    const logProbs = await model.read(
      batch.map(({ codes, instruction = describeInstruction, text }) => ({
        codes,
        instruction: words.encode(instruction),
        answer: words.encode(text),
      })),
    );
    return logProbs.map((values) => values.slice(0, -1));
  });
}

export interface ReadingScores {
  /** The right prompt among eight has the highest probability. */
  readonly retrieval: Score;
  /** The right prompt is likelier than one that differs in numbers, colours or places. */
  readonly swaps: Readonly<Record<string, Score>>;
  /** The right answer is the likeliest of all choices. */
  readonly questions: Readonly<Record<string, Score>>;
  /** Geometric mean of a word's probability, averaged: for the right prompts, and for swapped ones. */
  readonly right: number;
  readonly swapped: number;
}

/** Reading of clean renders: `tests` of each kind. The catalogue is of the world. */
export async function readingScores(
  read: TextReader,
  { world, catalogue }: { world: World; catalogue: Catalogue },
  { seed, split, tests }: EvaluationOptions & { tests: number },
): Promise<ReadingScores> {
  const probes = createProbes(world, catalogue, { seed, split });
  const noise = randomStream(seed, 'shapes/evaluate/render');
  let images = 0;
  const show = <Probe extends { readonly scene: Scene }>(probe: Probe) => ({
    ...probe,
    pixels: renderScene(world, probe.scene, noise.at(images++)),
  });
  const list = Array.from({ length: tests }, (_, i) => i);

  const retrieval = list.map((i) => show(probes.retrieval(i)));
  const likelihoods = await readEach(read, retrieval, ({ pixels, prompts }) =>
    prompts.map((text) => ({ pixels, text })),
  );
  const found = retrieval.map(({ answer }, i) => argmax((likelihoods[i] ?? []).map(mean)) === answer);

  const swaps: Record<string, Score> = {};
  const [right, swapped]: [number[], number[]] = [[], []];
  for (const kind of swapKinds) {
    const tested = list.map((i) => show(probes.swap(kind, i)));
    const pairs = await readEach(read, tested, ({ pixels, right: text, wrong }) => [
      { pixels, text },
      { pixels, text: wrong },
    ]);
    const [ofRight, ofWrong] = [0, 1].map((which) => pairs.map((pair) => mean(pair[which] ?? [])));
    right.push(...(ofRight ?? []));
    swapped.push(...(ofWrong ?? []));
    swaps[kind] = scoreOf((ofRight ?? []).map((value, i) => value > (ofWrong?.[i] ?? 0)));
  }

  const asked = list.map((i) => show(probes.question(i)));
  const answers = await readEach(read, asked, ({ pixels, question, choices }) =>
    choices.map((text) => ({ pixels, instruction: question, text })),
  );
  const outcomes = new Map<string, boolean[]>();
  asked.forEach(({ kind, answer, choices }, i) => {
    // A choice is one word here; a reader with smaller tokens has several for it.
    const chosen = argmax((answers[i] ?? []).map((values) => values.reduce((sum, value) => sum + value, 0)));
    outcomes.set(kind, [...(outcomes.get(kind) ?? []), choices[chosen] === answer]);
  });
  const typical = (values: readonly number[]) => mean(values.map(Math.exp));
  return {
    retrieval: scoreOf(found),
    swaps,
    questions: Object.fromEntries([...outcomes].map(([kind, answers]) => [kind, scoreOf(answers)])),
    right: typical(right),
    swapped: typical(swapped),
  };
}

/** Reads several texts for each item in one go: for each item, the log-probabilities of its texts. */
async function readEach<T>(
  read: TextReader,
  items: readonly T[],
  textsOf: (item: T) => readonly TextOfImage[],
): Promise<(readonly (readonly number[])[])[]> {
  const texts = items.map(textsOf);
  const results = await read(texts.flat());
  let from = 0;
  return texts.map(({ length }) => {
    from += length;
    return results.slice(from - length, from);
  });
}
