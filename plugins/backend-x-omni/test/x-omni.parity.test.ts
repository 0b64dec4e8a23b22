/**
 * X-Omni's autoregressive half against PyTorch, from a checkpoint in its layout: hidden states, both heads, text alone, padding, the
 * tokenizer, drawing under given noise, the reward's log-probabilities, greedy answers. Sizes, prompts and options are the fixture's.
 *
 * The references are float32 results, some of them further than 5e-5 from the exact value (the same model in float64). So states
 * and logits may differ by 5e-5, and by the reference's own error besides, which the test computes. States between
 * layers are compared as whatever reads them does, divided by the root mean square of their position: they grow to 40 and more, where
 * float32 has steps of 4e-6, and spellings of one formula (x / rms, x * (1 / rms), fused) differ from each other by up to 1e-4.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  allStates,
  answerProgram,
  type ComputeDType,
  checkpointWeights,
  createAutoregressiveBackend,
  drawProgram,
  finalNorm,
  imageLogits,
  imagePlaces,
  routedDecoder,
  textLogits,
} from '@gvu/models';
import {
  compile,
  constantData,
  createGraph,
  exactSampler,
  type Guidance,
  output,
  Runtime,
  type SamplerOptions,
  type Target,
  type TensorData,
  tensorData,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openXOmni, type XOmniModel } from '../src/model.ts';
import { describeInstruction, xOmniSequences } from '../src/sequences.ts';
import { difference, type Expected, fixture, inRows, numbers, readExpected } from './fixtures.ts';

interface Prompts {
  prompts: string[];
  grid: [number, number];
  question: string;
  temperature: number;
  trunc: { T: number; top_k: number; top_p: number; min_p: number };
  cfg_scale: number;
}

interface Drawn {
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance;
}

const tolerance = 5e-5;
/** The fixture's own for log-probabilities, which take in the rounding of a whole row of logits. */
const logProbTolerance = 1e-4;
const folder = fixture('x-omni-tiny');
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const settings: Prompts = read('prompts.json');
const [rows, columns] = settings.grid;
const steps = rows * columns;

let runtime: Runtime;
let expected: Expected;
let opened: XOmniModel;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  expected = await readExpected(folder);
  opened = await openXOmni(folder);
});
afterAll(() => runtime.dispose());

/** Logits of both heads, and hidden states, of whole sequences [B, T]. */
async function forward(
  ids: readonly (readonly number[])[],
  {
    target = 'cpu',
    dtype = 'float32',
    positions,
    real,
  }: { target?: Target; dtype?: ComputeDType; positions?: readonly number[]; real?: readonly number[] } = {},
): Promise<Readonly<Record<string, TensorData>>> {
  const graph = createGraph({ name: 'forward', target });
  const [batch, length] = [ids.length, ids[0]?.length ?? 0];
  const weights: typeof opened.model.weights = (to) => checkpointWeights(to, opened.checkpoint, dtype);
  const routed = routedDecoder(graph, { ...opened.model, target, dtype, weights }, { positions: length });
  const int = (values: readonly number[]) => constantData(graph, tensorData('int64', [batch, length], values));
  const sequences = {
    ids: int(ids.flat()),
    positions: int(positions ?? ids.flatMap((row) => [...row.keys()])),
    real: constantData(graph, tensorData('float32', [batch, length], real ?? ids.flat().map(() => 1))),
  };
  const states = allStates(routed, sequences);
  const places = imagePlaces(routed, sequences.ids);
  const last = states.at(-1);
  if (!last) throw new Error('the model has layers');
  states.forEach((state, i) => {
    output(`layer${i}`, state);
  });
  output('normed', finalNorm(routed, last, places));
  output('text', textLogits(routed, last, places));
  output('image', imageLogits(routed, last, places));
  await using session = await runtime.load(compile(graph));
  return await session.run({});
}

/**
 * Compares with a reference, whose own distance from the exact value may be larger than the tolerance. Values are in units of `unit`,
 * one for all or one each.
 */
function expectClose(
  name: string,
  ours: readonly number[],
  exact: readonly number[],
  unit: number | readonly number[] = 1,
): void {
  const scaled = (values: readonly number[]) =>
    values.map((value, i) => value / (typeof unit === 'number' ? unit : (unit[i] ?? Number.NaN)));
  const theirs = scaled(expected.values(name));
  const own = difference(theirs, scaled(exact));
  expect(own, `${name}: the reference must itself be right`).toBeLessThan(2e-4);
  expect(difference(scaled(ours), theirs), name).toBeLessThan(tolerance + own);
}

/** Of the row that each value is in. */
function rootMeanSquares(values: readonly number[], width: number): readonly number[] {
  return inRows(values, width).flatMap((row) => {
    const square = row.reduce((sum, value) => sum + value * value, 0) / width;
    return row.map(() => Math.sqrt(square));
  });
}

describe.each(['cpu', 'cuda', 'reference'] satisfies Target[])('on the %s target', (target) => {
  const exactly = { target: 'reference', dtype: 'float64' } as const;

  it('a sequence of words and image tokens: both heads, and the state after each layer', async () => {
    const ids = [expected.values('mixed.input_ids')];
    const [found, exact] = [await forward(ids, { target }), await forward(ids, exactly)];
    const names = {
      ...Object.fromEntries(
        Array.from({ length: opened.config.decoder.layers }, (_, i) => [`layer${i}`, `hidden_after_layer${i}`]),
      ),
      normed: 'hidden_final_normed',
      text: 'logits_text',
      image: 'logits_image',
    };
    for (const [ours, name] of Object.entries(names)) {
      const read = ours.startsWith('layer') ? rootMeanSquares(numbers(exact[ours]), opened.config.decoder.width) : 1;
      expectClose(`mixed.${name}`, numbers(found[ours]), numbers(exact[ours]), read);
    }
  });

  it('words alone', async () => {
    const ids = [expected.values('text_only.input_ids')];
    const [found, exact] = [await forward(ids, { target }), await forward(ids, exactly)];
    expectClose('text_only.logits_text', numbers(found.text), numbers(exact.text));
  });

  it('padding on the left changes nothing', async () => {
    const ids = expected.rows('batch.input_ids');
    const real = expected.values('batch.attention_mask');
    const positions = expected.values('batch.position_ids');
    const [found, exact] = await Promise.all(
      [{ target }, exactly].map((options) => forward(ids, { ...options, positions, real })),
    );
    for (const mode of ['text', 'image'] as const) {
      const width = mode === 'text' ? opened.config.decoder.vocabulary : opened.config.imageTokens;
      const realRows = (from: typeof found, row: number) => {
        const length = ids[row]?.length ?? 0;
        const all = inRows(numbers(from?.[mode]), width).slice(row * length, (row + 1) * length);
        return all.filter((_, i) => real[row * length + i] === 1).flat();
      };
      expectClose(`mixed.logits_${mode}`, realRows(found, 0), realRows(exact, 0));
      expectClose(`batch.row1_real_logits_${mode}`, realRows(found, 1), realRows(exact, 1));
    }
  });
});

describe('the tokenizer', () => {
  it('gives the ids of every case, and its text again', () => {
    const { cases } = read('tokenizer_cases.json');
    expect(cases.length).toBeGreaterThan(0);
    for (const { text, ids, decode_skip_special } of cases) {
      expect(opened.tokenizer.encode(text), text).toEqual(ids);
      expect(opened.tokenizer.decode(ids), text).toBe(decode_skip_special);
    }
  });

  it('renders the chat template', () => {
    for (const { messages, text, ids } of read('tokenizer_cases.json').chat) {
      expect(opened.tokenizer.chat(messages)).toBe(text);
      expect(opened.tokenizer.encode(text)).toEqual(ids);
    }
  });
});

describe('drawing', () => {
  const { trunc } = settings;
  const kinds: Readonly<Record<string, Drawn>> = {
    sample: { sampler: { ...exactSampler, temperature: settings.temperature } },
    sample_trunc: { sampler: { temperature: trunc.T, topK: trunc.top_k, topP: trunc.top_p, minP: trunc.min_p } },
    sample_cfg: {
      sampler: { ...exactSampler, temperature: settings.temperature },
      guidance: { scale: settings.cfg_scale, formula: 'u + w(c - u)' },
    },
  };
  const sequences = () => xOmniSequences(opened.config, opened.tokenizer, { rows, columns });
  const promptRows = () => expected.values('sample.prompt_index').map((i) => settings.prompts[i] ?? '');

  it('prompts become the tokens of the reference', () => {
    for (const [i, prompt] of settings.prompts.entries())
      expect(sequences().draw(prompt)).toEqual(expected.values(`sample.prompt${i}.input_ids`));
    expect(sequences().unconditional?.([])).toEqual(expected.values('sample.uncond_input_ids'));
  });

  it.each(Object.keys(kinds))(
    '%s: the same tokens and log-probabilities, from the scores of the reference',
    async (kind) => {
      const { sampler, guidance }: Drawn = kinds[kind] ?? { sampler: exactSampler };
      const prompts = promptRows().map((prompt) => sequences().draw(prompt));
      const without = guidance ? prompts.map(() => sequences().unconditional?.([]) ?? []) : [];
      const tokens = expected.rows(`${kind}.tokens`);
      const batch = prompts.length;
      const { imageTokens } = opened.config;
      const scores = inRows(inRows(expected.values(`${kind}.step_scores`), imageTokens), batch); // [step][row][token]
      const gumbel = inRows(inRows(expected.values('sample.gumbel'), imageTokens), batch);
      const isRanked = sampler.topK > 0 || sampler.topP < 1;

      // The reference takes argmax(score + gumbel); the uniform number that draws this token lies within its share.
      const uniform = scores.flatMap((ofStep, step) =>
        ofStep.map((score, row) => {
          const token = tokens[row]?.[step] ?? -1;
          const noisy = score.map((value, i) => value + (gumbel[step]?.[row]?.[i] ?? Number.NaN));
          expect(noisy.indexOf(Math.max(...noisy))).toBe(token);
          return middleOf(token, score, isRanked);
        }),
      );
      const length = Math.max(...prompts.map((ids) => ids.length)) + 3;
      const program = drawProgram(opened.model, { rows: batch, length }, { steps, sampler, guidance });
      await using session = await runtime.load(program);
      const found = await session.run({
        ...leftPadded([...prompts, ...without], length),
        uniform: tensorData('float32', [steps, batch, 1], uniform),
      });
      expect(inRows([...numbers(found.tokens)], steps)).toEqual(tokens);
      expect(difference(numbers(found.policy), expected.values(`${kind}.logprobs`))).toBeLessThan(logProbTolerance);
      const law = kind === 'sample' ? `${kind}.logprobs` : `${kind}.logprobs_of_sampling_law`;
      // Guidance multiplies the distance between two rows of logits, and their errors with it.
      const allowed = logProbTolerance * Math.max(1, guidance?.scale ?? 1);
      expect(difference(numbers(found.sampler), expected.values(law))).toBeLessThan(allowed);
    },
  );

  it('the scores before truncation are those of the reference, so that its own noise picks its tokens', async () => {
    const prompts = promptRows().map((prompt) => sequences().draw(prompt));
    const scores = inRows(inRows(expected.values('sample.step_scores'), opened.config.imageTokens), prompts.length);
    for (const [row, prompt] of prompts.entries()) {
      const tokens = expected.rows('sample.tokens')[row] ?? [];
      const found = await forward([[...prompt, ...tokens.map((token) => token + opened.config.decoder.vocabulary)]]);
      const logits = inRows(numbers(found.image), opened.config.imageTokens).slice(prompt.length - 1, -1);
      const wanted = scores.map((ofStep) => ofStep[row] ?? []);
      expect(
        difference(
          logits.flat().map((value) => value / settings.temperature),
          wanted.flat(),
        ),
      ).toBeLessThan(logProbTolerance);
    }
  });
});

describe('reading', () => {
  const backend = () =>
    createAutoregressiveBackend(
      {
        name: 'x-omni',
        version: 'fixture',
        model: opened.model,
        tokenizer: opened.tokenizer,
        sequences: xOmniSequences(opened.config, opened.tokenizer, { rows, columns }),
        codec: { decode: () => Promise.resolve([]) },
        representations: ['emitted-tokens'],
        image: { rows, columns, width: 16 * columns, height: 16 * rows },
        maxTokens: opened.config.maxTokens,
        parameters: 0,
        defaultTargets: ['q_proj'],
        sampler: exactSampler,
      },
      { runtime },
    );

  it('the instruction is that of the reference', () => {
    expect(describeInstruction).toBe('Describe the image in detail.');
  });

  it('a user turn with the image, as ids', () => {
    const sequences = xOmniSequences(opened.config, opened.tokenizer, { rows, columns });
    for (const [row, tokens] of expected.rows('sample.tokens').entries())
      expect(sequences.read(settings.question, { rows, columns, tokens: Int32Array.from(tokens) })).toEqual(
        expected.values(`reward.row${row}.message_ids`),
      );
  });

  it('the log-probabilities of prompts, and their geometric mean, in one pass', async () => {
    const requests = expected.rows('sample.tokens').map((tokens, row) => ({
      image: { tokens: Int32Array.from(tokens) },
      instruction: settings.question,
      text: settings.prompts[expected.values('sample.prompt_index')[row] ?? 0] ?? '',
    }));
    const traces = await backend().read(requests);
    for (const [row, { logProbs }] of traces.entries()) {
      expect(difference(logProbs, expected.values(`reward.row${row}.logprobs`)), `row ${row}`).toBeLessThan(
        logProbTolerance,
      );
      const reward = Math.exp(logProbs.reduce((sum, value) => sum + value, 0) / logProbs.length);
      const [wanted = Number.NaN] = expected.values(`reward.row${row}.reward`);
      expect(Math.abs(reward / wanted - 1)).toBeLessThan(1e-4);
    }
    expect(traces.map(({ logProbs }) => logProbs.length)).toEqual(
      traces.map((_, row) => expected.values(`reward.row${row}.target_ids`).length),
    );
  });

  it('the likeliest answer, token by token', async () => {
    const greedy = expected.values('understand.row0.greedy12');
    const message = expected.values('reward.row0.message_ids');
    const program = answerProgram(opened.model, { rows: 1, length: message.length + 2 }, { steps: greedy.length });
    await using session = await runtime.load(program);
    const { tokens } = await session.run(leftPadded([message], message.length + 2));
    expect(numbers(tokens)).toEqual(greedy);
  });
});

function leftPadded(sequences: readonly (readonly number[])[], length: number) {
  const shape = [sequences.length, length];
  const table = (cell: (ids: readonly number[], place: number) => number) =>
    sequences.flatMap((ids) => Array.from({ length }, (_, i) => cell(ids, i - (length - ids.length))));
  return {
    ids: tensorData(
      'int64',
      shape,
      table((ids, place) => ids[place] ?? 0),
    ),
    positions: tensorData(
      'int64',
      shape,
      table((_, place) => Math.max(place, 0)),
    ),
    real: tensorData(
      'float32',
      shape,
      table((_, place) => (place < 0 ? 0 : 1)),
    ),
  };
}

/** The middle of a token's share of [0, 1), in the order of the vocabulary or of likelihood. */
function middleOf(token: number, scores: readonly number[], isRanked: boolean): number {
  const order = [...scores.keys()];
  if (isRanked) order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const top = Math.max(...scores);
  const weights = order.map((i) => Math.exp((scores[i] ?? 0) - top));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const place = order.indexOf(token);
  const before = weights.slice(0, place).reduce((sum, value) => sum + value, 0);
  return (before + (weights[place] ?? 0) / 2) / total;
}
