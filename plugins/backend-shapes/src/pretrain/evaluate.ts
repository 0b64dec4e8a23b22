/**
 * What a model can do, measured by the world's judge and tests: how often its drawings fulfil held-out prompts, and how well it
 * reads clean images. Everything is a pure function of the weights and a seed.
 */
import { fillUniform, randomStream, shuffled } from '@gvu/core';
import { imageTokens } from '../model/config.ts';
import type { Codes, ShapesModel } from '../model/shapes-model.ts';
import {
  type Catalogue,
  type CatalogueEntry,
  type Category,
  categories,
  createProbes,
  describeInstruction,
  detectObjects,
  judge,
  renderScene,
  type Scene,
  type Split,
  sampleScene,
  swapKinds,
} from '../world/index.ts';

/** Rows of one run; smaller last batches would each need programs of their own, so all are filled up to it. */
const rowsPerRun = 64;

export interface Score {
  readonly correct: number;
  readonly n: number;
}

export interface EvaluationOptions {
  readonly seed: number;
  readonly split: Split;
}

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

function uniformNumbers(address: Parameters<typeof fillUniform>[1]): Float32Array {
  const values = new Float32Array(imageTokens);
  fillUniform(values, address);
  return values;
}

/** Runs over batches of a fixed size, the last one filled up by its last item, so that one program serves all. */
async function inBatches<T, R>(items: readonly T[], run: (batch: readonly T[], from: number) => Promise<readonly R[]>) {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += rowsPerRun) {
    const batch = items.slice(from, from + rowsPerRun);
    const last = batch.slice(-1);
    const filled = [...batch, ...Array.from({ length: rowsPerRun - batch.length }, () => last).flat()];
    results.push(...(await run(filled, from)).slice(0, batch.length));
  }
  return results;
}

function argmax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? Number.NEGATIVE_INFINITY) ? i : best), 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

function count<T>(items: readonly T[], test: (item: T, index: number) => boolean): number {
  return items.filter(test).length;
}
