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
} from '../world/index.ts';
import { argmax, count, type EvaluationOptions, inBatches, mean, type Score } from './evaluation.ts';

/** Mean log-probability of the words of each prompt given each image (GvU's reward is its exponential), without the end. */
export async function promptLogProbs(
  model: ShapesModel,
  pairs: readonly { readonly codes: Codes; readonly prompt: string }[],
): Promise<number[]> {
  const instruction = model.ids.words.encode(describeInstruction);
  return inBatches(pairs, async (batch) => {
    const rows = batch.map(({ codes, prompt }) => ({ codes, instruction, answer: model.ids.words.encode(prompt) }));
    const logProbs = await model.read(rows);
    return logProbs.map((words) => mean(words.slice(0, -1)));
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

/** Reading of clean renders: `tests` of each kind. */
export async function readingScores(
  model: ShapesModel,
  catalogue: Catalogue,
  { seed, split, tests }: EvaluationOptions & { tests: number },
): Promise<ReadingScores> {
  const { world } = model.config;
  const probes = createProbes(world, catalogue, { seed, split });
  const noise = randomStream(seed, 'shapes/evaluate/render');
  let images = 0;
  const encode = (scenes: readonly Scene[]) =>
    inBatches(scenes, (batch) => model.encode(batch.map((scene) => renderScene(world, scene, noise.at(images++)))));
  const list = Array.from({ length: tests }, (_, i) => i);

  const retrieval = list.map((i) => probes.retrieval(i));
  const shown = await encode(retrieval.map(({ scene }) => scene));
  const choices = await promptLogProbs(
    model,
    retrieval.flatMap(({ prompts }, i) => prompts.map((prompt) => ({ codes: shown[i] ?? [], prompt }))),
  );
  let from = 0;
  const found = retrieval.map(({ prompts, answer }) => {
    const own = choices.slice(from, from + prompts.length);
    from += prompts.length;
    return argmax(own) === answer;
  });

  const swaps: Record<string, Score> = {};
  const [right, wrong]: [number[], number[]] = [[], []];
  for (const kind of swapKinds) {
    const tested = list.map((i) => probes.swap(kind, i));
    const seen = await encode(tested.map(({ scene }) => scene));
    const ofPrompts = (which: 'right' | 'wrong') =>
      promptLogProbs(
        model,
        tested.map((probe, i) => ({ codes: seen[i] ?? [], prompt: probe[which] })),
      );
    const [forRight, forWrong] = [await ofPrompts('right'), await ofPrompts('wrong')];
    right.push(...forRight);
    wrong.push(...forWrong);
    swaps[kind] = { correct: count(forRight, (value, i) => value > (forWrong[i] ?? 0)), n: tests };
  }

  const asked = list.map((i) => probes.question(i));
  const viewed = await encode(asked.map(({ scene }) => scene));
  const options = asked.flatMap(({ question, choices: answers }, i) =>
    answers.map((answer) => ({ i, question, answer, codes: viewed[i] ?? [] })),
  );
  const answered = await inBatches(options, async (batch) => {
    const { encode: words } = model.ids.words;
    const rows = batch.map(({ codes, question, answer }) => ({
      codes,
      instruction: words(question),
      answer: words(answer),
    }));
    return (await model.read(rows)).map((logProbs) => logProbs[0] ?? Number.NEGATIVE_INFINITY);
  });
  const questions: Record<string, Score> = {};
  asked.forEach(({ kind, answer, choices: answers }, i) => {
    const own = answered.filter((_, at) => options[at]?.i === i);
    const { correct, n } = questions[kind] ?? { correct: 0, n: 0 };
    questions[kind] = { correct: correct + (answers[argmax(own)] === answer ? 1 : 0), n: n + 1 };
  });
  const typical = (values: readonly number[]) => mean(values.map(Math.exp));
  return {
    retrieval: { correct: count(found, Boolean), n: tests },
    swaps,
    questions,
    right: typical(right),
    swapped: typical(wrong),
  };
}
