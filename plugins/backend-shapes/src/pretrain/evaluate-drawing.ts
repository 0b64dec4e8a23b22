/**
 * How well a model draws, by the world's judge: each image is decoded, its objects are detected from pixels, and GenEval's rules
 * decide. Everything is a pure function of the weights and a seed.
 */
import { fillUniform, type RandomAddress, randomStream, shuffled } from '@gvu/core';
import { imageTokens } from '../model/config.ts';
import type { Codes, ShapesModel } from '../model/shapes-model.ts';
import {
  type Catalogue,
  type CatalogueEntry,
  type Category,
  categories,
  detectObjects,
  judge,
  renderScene,
  sampleScene,
} from '../world/index.ts';
import { promptLogProbs } from './evaluate-reading.ts';
import { argmax, count, type EvaluationOptions, inBatches, type Score } from './evaluation.ts';

/** One drawing of a prompt, and what the judge says of it. */
export interface JudgedDrawing {
  readonly entry: CatalogueEntry;
  readonly codes: Codes;
  readonly pixels: Uint8Array;
  readonly correct: boolean;
}

/** Drawings of `perCategory` prompts of each category; when it has fewer prompts they are repeated, evenly. */
export async function judgedDrawings(
  model: ShapesModel,
  catalogue: Catalogue,
  { seed, split, perCategory }: EvaluationOptions & { perCategory: number },
): Promise<JudgedDrawing[]> {
  const order = randomStream(seed, 'shapes/evaluate/prompts');
  const entries = categories.flatMap((category, at) => {
    const all = shuffled(catalogue.select(category, split), order.at(at));
    return Array.from({ length: all.length > 0 ? perCategory : 0 }, (_, i) => all.slice(i % all.length)[0]).filter(
      (entry) => entry !== undefined,
    );
  });
  return drawAndJudge(model, entries, seed);
}

/** Draws each entry once; row `i` has its own noise. */
export async function drawAndJudge(
  model: ShapesModel,
  entries: readonly CatalogueEntry[],
  seed: number,
): Promise<JudgedDrawing[]> {
  const [choices, decoding] = [
    randomStream(seed, 'shapes/evaluate/codes'),
    randomStream(seed, 'shapes/evaluate/decode'),
  ];
  return inBatches(entries, async (batch, from) => {
    const prompts = batch.map(({ metadata }) => model.ids.words.encode(metadata.prompt));
    const uniform = batch.map((_, row) => uniformNumbers(choices.at(from + row)));
    const drawn = await model.draw(prompts, uniform);
    const codes = drawn.map((image) => image.codes);
    const images = await model.decode(
      codes,
      batch.map((_, row) => decoding.at(from + row)),
    );
    return batch.map((entry, row) => {
      const pixels = images[row] ?? new Uint8Array();
      const { correct } = judge(entry.metadata, detectObjects(model.config.world, pixels));
      return { entry, codes: codes[row] ?? [], pixels, correct };
    });
  });
}

/** The share of correct drawings in each category. */
export function scoresByCategory(drawings: readonly JudgedDrawing[]): Map<Category, Score> {
  return new Map(
    categories.flatMap((category) => {
      const own = drawings.filter(({ entry }) => entry.metadata.tag === category);
      return own.length === 0 ? [] : [[category, { correct: count(own, ({ correct }) => correct), n: own.length }]];
    }),
  );
}

/** The mean of the categories' shares, 0 to 1, as GenEval takes it. */
export function overall(scores: ReadonlyMap<unknown, Score>): number {
  const shares = [...scores.values()].map(({ correct, n }) => correct / n);
  return shares.reduce((sum, share) => sum + share, 0) / Math.max(shares.length, 1);
}

/** Clean renders of `tests` prompts, all categories in turn, that the judge finds right after encoding and decoding. */
export async function reconstructionScore(
  model: ShapesModel,
  catalogue: Catalogue,
  { seed, split, tests }: EvaluationOptions & { tests: number },
): Promise<Score> {
  const { world } = model.config;
  const [scenes, noise, decoding] = [
    randomStream(seed, 'shapes/evaluate/reconstruction/scene'),
    randomStream(seed, 'shapes/evaluate/reconstruction/render'),
    randomStream(seed, 'shapes/evaluate/reconstruction/decode'),
  ];
  const drawn = promptsInTurn(catalogue, { seed, split, prompts: tests }).map(({ metadata }, i) => {
    const scene = sampleScene(world, metadata, { address: scenes.at(i) });
    return { metadata, pixels: renderScene(world, scene, noise.at(i)) };
  });
  const verdicts = await inBatches(drawn, async (batch, from) => {
    const codes = await model.encode(batch.map(({ pixels }) => pixels));
    const images = await model.decode(
      codes,
      batch.map((_, row) => decoding.at(from + row)),
    );
    return batch.map(
      ({ metadata }, row) => judge(metadata, detectObjects(world, images[row] ?? new Uint8Array())).correct,
    );
  });
  return { correct: count(verdicts, Boolean), n: verdicts.length };
}

export interface BestOfScores {
  readonly first: Score;
  /** The sample that the model itself finds likeliest to be described by the prompt. */
  readonly best: Score;
  /** At least one of the samples is correct: the most that any choice can reach. */
  readonly any: Score;
}

/** `size` drawings of each of `prompts` prompts: how much choosing by the model's own reading would gain. */
export async function bestOf(
  model: ShapesModel,
  catalogue: Catalogue,
  { seed, split, prompts, size }: EvaluationOptions & { prompts: number; size: number },
): Promise<BestOfScores> {
  const chosen = promptsInTurn(catalogue, { seed, split, prompts });
  const drawings = await drawAndJudge(
    model,
    chosen.flatMap((entry) => Array.from({ length: size }, () => entry)),
    seed,
  );
  const rewards = await promptLogProbs(
    model,
    drawings.map(({ codes, entry }) => ({ codes, prompt: entry.metadata.prompt })),
  );
  const groups = chosen.map((_, i) => ({
    drawn: drawings.slice(i * size, (i + 1) * size),
    rewards: rewards.slice(i * size, (i + 1) * size),
  }));
  const score = (of: (group: (typeof groups)[number]) => boolean): Score => ({
    correct: count(groups, of),
    n: prompts,
  });
  return {
    first: score(({ drawn }) => drawn[0]?.correct === true),
    best: score((group) => group.drawn[argmax(group.rewards)]?.correct === true),
    any: score(({ drawn }) => drawn.some(({ correct }) => correct)),
  };
}

/** Prompts of a split, the categories taking turns. */
function promptsInTurn(
  catalogue: Catalogue,
  { seed, split, prompts }: EvaluationOptions & { prompts: number },
): CatalogueEntry[] {
  const order = randomStream(seed, 'shapes/evaluate/in-turn');
  const present = categories.filter((category) => catalogue.select(category, split).length > 0);
  return Array.from({ length: prompts }, (_, i) => {
    const all = present
      .slice(i % present.length)
      .slice(0, 1)
      .flatMap((category) => catalogue.select(category, split));
    return shuffled(all, order.at(i)).slice(0, 1);
  }).flat();
}

function uniformNumbers(address: RandomAddress): Float32Array {
  const values = new Float32Array(imageTokens);
  fillUniform(values, address);
  return values;
}
