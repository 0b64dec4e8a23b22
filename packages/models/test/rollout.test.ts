/**
 * Generation in one program against a naive loop: no cache, one run for every token over the whole sequence, and guidance,
 * truncation and the draw restated on the host. Same noise, same tokens.
 */
import { fillUniform, randomStream } from '@gvu/core';
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
  toNumbers,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputeDType, Decoder } from '../src/decoder/decoder.ts';
import { rollout, sequenceLogits, type TokenBatch } from '../src/decoder/rollout.ts';
import { drawOnHost, guideOnHost } from './host-sampler.ts';
import { randomDecoder, randomWeights, tinyConfig } from './random-decoder.ts';

const STEPS = 12;
const weights = randomWeights(tinyConfig, 20261123);
const prompts = [
  [3, 14, 15, 9, 26],
  [5, 3, 5],
  [8, 9, 7, 9],
  [3, 2],
];
const samplers: Readonly<Record<string, SamplerOptions>> = {
  'from the policy': exactSampler,
  truncated: { temperature: 0.9, topK: 11, topP: 0.95, minP: 0.02 },
  'by min-p alone': { temperature: 1.2, topK: 0, topP: 1, minP: 0.05 },
  greedily: { ...exactSampler, temperature: 0 },
};

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** Uniform numbers of each sample and step, by coordinates: a sample has the same alone as in a batch. */
function noise(samples: readonly number[], steps = STEPS): readonly (readonly number[])[] {
  return samples.map((sample) => {
    const row = new Float32Array(steps);
    fillUniform(row, randomStream(7, 'rollout').at(sample));
    return [...row];
  });
}

interface Sample {
  readonly tokens: readonly number[];
  readonly policy: readonly number[];
  readonly sampler: readonly number[];
}

interface Options {
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance;
  readonly target?: Target;
  readonly dtype?: ComputeDType;
  readonly steps?: number;
  readonly from?: ReadonlyMap<string, TensorData>;
}

/** Prompts of any lengths as one batch, padded on the left. */
function batchOf(decoder: Decoder, rows: readonly (readonly number[])[]): TokenBatch {
  const length = Math.max(...rows.map((row) => row.length));
  const int = (fill: (row: readonly number[], place: number) => number) => {
    const values = rows.flatMap((row) => Array.from({ length }, (_, i) => fill(row, i - (length - row.length))));
    return constantData(decoder.modules.graph, tensorData('int64', [rows.length, length], values));
  };
  const isPadded = rows.some((row) => row.length < length);
  return {
    ids: int((row, place) => row[place] ?? 0),
    positions: int((_, place) => Math.max(place, 0)),
    ...(isPadded && { real: int((_, place) => (place < 0 ? 0 : 1)) }),
  };
}

/** One program, one run. With guidance the second half of the prompts is unconditional. */
async function generated(
  rows: readonly (readonly number[])[],
  uniform: readonly (readonly number[])[],
  { sampler, guidance, target = 'cpu', dtype = 'float32', steps = STEPS, from = weights }: Options,
): Promise<readonly Sample[]> {
  const graph = createGraph({ name: 'rollout', target });
  const decoder = randomDecoder(graph, from, { dtype });
  const byStep = Array.from({ length: steps }, (_, step) => uniform.map((row) => row[step] ?? 0)).flat();
  const found = rollout(decoder, batchOf(decoder, rows), {
    steps,
    sampler,
    guidance,
    uniform: constantData(graph, tensorData('float32', [steps, uniform.length, 1], byStep)),
  });
  for (const [name, tensor] of Object.entries(found)) output(name, tensor);
  await using session = await runtime.load(compile(graph));
  const { tokens, policyLogProbs, samplerLogProbs } = await session.run({});
  const row = (tensor: TensorData | undefined, i: number) =>
    tensor ? toNumbers(tensor).slice(i * steps, (i + 1) * steps) : [];
  return uniform.map((_, i) => ({
    tokens: row(tokens, i),
    policy: row(policyLogProbs, i),
    sampler: row(samplerLogProbs, i),
  }));
}

/** Logits [T, V] of one sequence, without a cache. */
async function logitsOf(ids: readonly number[]): Promise<readonly (readonly number[])[]> {
  const graph = createGraph({ name: 'sequence' });
  const decoder = randomDecoder(graph, weights);
  output('logits', sequenceLogits(decoder, batchOf(decoder, [ids])));
  await using session = await runtime.load(compile(graph));
  const { logits } = await session.run({});
  const values = logits ? toNumbers(logits) : [];
  const { vocabulary } = tinyConfig;
  return ids.map((_, i) => values.slice(i * vocabulary, (i + 1) * vocabulary));
}

/** One sample, a run for every token. */
async function naive(
  prompt: readonly number[],
  uniform: readonly number[],
  { sampler, guidance, unconditional = [] }: Options & { unconditional?: readonly number[] },
): Promise<Sample> {
  const drawn: { token: number; policy: number; sampler: number }[] = [];
  for (const u of uniform) {
    const after = (start: readonly number[]) => logitsOf([...start, ...drawn.map(({ token }) => token)]);
    const conditional = (await after(prompt)).at(-1) ?? [];
    const logits = guidance
      ? guideOnHost(conditional, (await after(unconditional)).at(-1) ?? [], guidance)
      : conditional;
    drawn.push(drawOnHost(logits, u, sampler, conditional));
  }
  return {
    tokens: drawn.map(({ token }) => token),
    policy: drawn.map(({ policy }) => policy),
    sampler: drawn.map((one) => one.sampler),
  };
}

function expectSame(found: Sample | undefined, expected: Sample | undefined, tolerance: number): void {
  if (!found || !expected) throw new Error('a sample is missing');
  expect(found.tokens).toEqual(expected.tokens);
  for (const kind of ['policy', 'sampler'] as const)
    for (const [i, value] of expected[kind].entries())
      expect(Math.abs((found[kind][i] ?? Number.NaN) - value), `${kind} ${i}`).toBeLessThan(tolerance);
}

describe.each(Object.entries(samplers))('drawn %s', (_, sampler) => {
  it('tokens and log-probabilities are those of a naive loop', async () => {
    const uniform = noise([0, 1]);
    const batch = prompts.slice(0, 2);
    const found = await generated(batch, uniform, { sampler });
    for (const [i, prompt] of batch.entries())
      expectSame(found[i], await naive(prompt, uniform[i] ?? [], { sampler }), 1e-4);
  });

  it('a padded batch gives each row what it gets alone', async () => {
    const samples = [...prompts.keys()];
    const together = await generated(prompts, noise(samples), { sampler });
    for (const i of samples) {
      const [alone] = await generated(prompts.slice(i, i + 1), noise([i]), { sampler });
      expectSame(together[i], alone, 1e-5);
    }
  });

  it.each(['cuda', 'reference'] as const)('the %s lowering agrees', async (target) => {
    const uniform = noise([...prompts.keys()]);
    const found = await generated(prompts, uniform, { sampler, target });
    for (const [i, expected] of (await generated(prompts, uniform, { sampler })).entries())
      expectSame(found[i], expected, 1e-5);
  });
});

describe('guidance', () => {
  it.each([
    { scale: 3, formula: 'u + w(c - u)' },
    { scale: 2, formula: '(1 + w)c - wu' },
  ] satisfies Guidance[])('by $formula is that of a naive loop, with unconditional rows', async (guidance) => {
    const [first = [], second = [], ...rest] = prompts;
    const options = { sampler: { ...exactSampler, topK: 9 }, guidance };
    const found = await generated([first, second, ...rest], noise([0, 1]), options);
    for (const [i, prompt] of [first, second].entries()) {
      const unconditional = rest[i] ?? [];
      expectSame(found[i], await naive(prompt, noise([i])[0] ?? [], { ...options, unconditional }), 1e-4);
    }
  });

  it('of scale 1 is none', async () => {
    const guidance: Guidance = { scale: 1, formula: 'u + w(c - u)' };
    const guided = await generated(prompts, noise([0, 1]), { sampler: exactSampler, guidance });
    const plain = await generated(prompts.slice(0, 2), noise([0, 1]), { sampler: exactSampler });
    for (const [i, expected] of plain.entries()) expectSame(guided[i], expected, 1e-4);
  });
});

it('generated log-probabilities are those of teacher forcing', async () => {
  const [prompt = []] = prompts;
  const [found] = await generated([prompt], noise([0]), { sampler: exactSampler });
  const tokens = found?.tokens ?? [];
  const forced = (await logitsOf([...prompt, ...tokens])).slice(prompt.length - 1, -1);
  const policy = forced.map((logits, i) => {
    const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
    return (logits[tokens[i] ?? 0] ?? Number.NaN) - total;
  });
  // Drawn from the policy itself, so both are the same.
  expectSame(found, { tokens, policy, sampler: policy }, 1e-4);
});

it('one token a row needs no loop', async () => {
  const uniform = noise([...prompts.keys()]);
  const found = await generated(prompts, uniform, { sampler: exactSampler, steps: 1 });
  for (const [i, { tokens, policy, sampler }] of (
    await generated(prompts, uniform, { sampler: exactSampler })
  ).entries())
    expectSame(
      found[i],
      { tokens: tokens.slice(0, 1), policy: policy.slice(0, 1), sampler: sampler.slice(0, 1) },
      1e-6,
    );
});

it('a decoder in float64 is sampled in float32', async () => {
  const uniform = noise([0, 1]);
  const options = { sampler: exactSampler };
  const found = await generated(prompts.slice(0, 2), uniform, { ...options, dtype: 'float64', target: 'reference' });
  const expected = await generated(prompts.slice(0, 2), uniform, options);
  for (const [i, sample] of expected.entries()) expectSame(found[i], sample, 1e-4);
});

it.each(Object.entries(samplers))(
  'a broken weight shows as NaN, in tokens of the vocabulary: %s',
  async (_, sampler) => {
    const head = weights.get('lm_head.weight');
    if (!head) throw new Error('the decoder has a head of its own');
    const broken = tensorData('float32', head.shape, toNumbers(head).with(100, Number.NaN));
    const from = new Map([...weights, ['lm_head.weight', broken]]);
    for (const { tokens, policy } of await generated(prompts, noise([...prompts.keys()]), { sampler, from })) {
      expect(tokens.every((token) => token >= 0 && token < tinyConfig.vocabulary)).toBe(true);
      expect(policy.every(Number.isNaN)).toBe(true);
    }
  },
);
