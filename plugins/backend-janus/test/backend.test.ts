/** Janus as a backend, on the tiny checkpoint: drawing, its differentiable policy, reading, and pictures of any size. */
import { randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, Drawing } from '@gvu/models';
import {
  compile,
  createGraph,
  exactSampler,
  flatSize,
  gradients,
  input,
  type LoraOptions,
  loraLayout,
  mul,
  openCheckpoint,
  output,
  Runtime,
  sum,
  type TensorDataOf,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJanusBackend } from '../src/backend.ts';
import { janusConfig } from '../src/checkpoint/config.ts';
import { backendConfig } from '../src/options.ts';
import { difference } from './agreement.ts';
import { fixture, fixtureJson } from './fixtures.ts';

const folder = fixture('janus-tiny');
const tooLong = janusConfig(fixtureJson('janus-tiny', 'config.json')).maxTokens;
let runtime: Runtime;
let backend: Backend;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
  backend = await open({});
});
afterAll(() => runtime.dispose());

const open = (options: object) =>
  createJanusBackend(backendConfig.parse({ model: folder, ...options }, { source: 'test' }), { runtime });

const stream = randomStream(20261123, 'test/janus');
const requests = ['a red cube', 'two blue spheres on a wooden table', 'a dog', 'three green pens', 'a cat'].map(
  (prompt, i) => ({ prompt, randomness: stream.at(i) }),
);
const logProbsOf = (drawings: readonly Drawing[]) => drawings.flatMap(({ logProbs }) => [...logProbs]);

/** Kernels round by where a row stands in its batch, and padding changes the length of sums. */
const lastDigits = 2e-5;

const loraOptions = (): LoraOptions => ({ rank: 2, alpha: 4, targets: backend.defaultTargets });

/** An adapter over all default targets, of values up to `scale`. */
async function adapterOf(scale: number, options = loraOptions()): Promise<ActiveAdapter> {
  const layout = loraLayout(backend.modules, options);
  const values = Float32Array.from({ length: flatSize(layout) }, (_, i) => scale * Math.sin(7 * i + 1));
  const adapter: TensorDataOf<'float32'> = { dtype: 'float32', shape: [values.length], data: values };
  return { options, variables: await runtime.variables({ adapter }) };
}

/** What the policy's graph gives for drawings. */
async function policyTerms(
  drawings: readonly Drawing[],
  { adapter, temperature = 1, checkpointing = false }: PolicyOptions = {},
) {
  const { trainable } = backend;
  const promptLength = trainable.promptLength(drawings.map(({ prompt }) => prompt));
  const graph = createGraph();
  const layout = adapter && loraLayout(backend.modules, adapter.options);
  const flat = layout && input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  const terms = trainable.build(graph, {
    rows: drawings.length,
    promptLength,
    temperature,
    checkpointing,
    ...(adapter && flat && { adapter: { tensors: unflatten(flat, layout), scale: 2 } }),
  });
  output('logp', terms.logp);
  if (terms.embeddings) output('embeddings', terms.embeddings);
  await using session = await runtime.load(compile(graph));
  return await session.run<'logp' | 'embeddings'>(trainable.feeds(drawings, { promptLength }), {
    variables: adapter?.variables,
  });
}

interface PolicyOptions {
  readonly adapter?: ActiveAdapter;
  readonly temperature?: number;
  readonly checkpointing?: boolean;
}

describe('draw', () => {
  it('gives each request the same drawing, whichever others are beside it', async () => {
    const together = await backend.draw(requests);
    for (const [i, request] of requests.entries()) {
      const [alone] = await backend.draw([request]);
      expect(alone?.tokens).toEqual(together[i]?.tokens);
      expect(difference([...(alone?.logProbs ?? [])], [...(together[i]?.logProbs ?? [])])).toBeLessThan(lastDigits);
    }
    expect(new Set(together.map(({ tokens }) => tokens.join())).size).toBe(requests.length);
    expect(together[0]?.tokens).toHaveLength(backend.image.decisions);
  });

  it('tells the policy from what was drawn from: they differ under guidance alone', async () => {
    const [guided] = await backend.draw(requests.slice(0, 1));
    expect(difference([...(guided?.logProbs ?? [])], [...(guided?.samplerLogProbs ?? [])])).toBeGreaterThan(0.1);
    const plain = await open({ guidance: 1 });
    const [own] = await plain.draw(requests.slice(0, 1));
    expect(own?.logProbs).toEqual(own?.samplerLogProbs);
    expect(plain.version).not.toBe(backend.version);
  });

  it('follows the adapter, and is as before once that is nothing', async () => {
    const plain = await backend.draw(requests);
    const changed = await backend.draw(requests, { adapter: await adapterOf(0.3) });
    const unchanged = await backend.draw(requests, { adapter: await adapterOf(0) });
    expect(changed.map(({ tokens }) => tokens)).not.toEqual(plain.map(({ tokens }) => tokens));
    expect(unchanged.map(({ tokens }) => tokens)).toEqual(plain.map(({ tokens }) => tokens));
  });

  it('takes plain words only', async () => {
    for (const prompt of ['', 'a cat<end_of_image>', '<|Assistant|>: done', '0 '.repeat(tooLong)])
      await expect(backend.draw([{ prompt, randomness: stream.at(0) }])).rejects.toThrow(/GVU_MODEL_TEXT/);
  });
});

it('draws in half precision what it says in single, up to its digits', async () => {
  const half = await open({ dtype: 'float16' });
  const adapter = await adapterOf(0.2);
  const drawings = await half.draw(requests, { adapter });
  const { logp } = await policyTerms(drawings, { adapter });
  expect(difference(toNumbers(logp), logProbsOf(drawings))).toBeLessThan(5e-2);
  expect(half.version).not.toBe(backend.version);
});

it('names modules as transformers does, so that PEFT finds them', async () => {
  const { tensors } = await openCheckpoint(folder);
  for (const { name, kind, in: from, out } of backend.modules)
    expect(tensors.get(`${name}.weight`)?.shape, name).toEqual(kind === 'linear' ? [out, from] : [from, out]);
});

describe('the trainable policy', () => {
  it.each([
    ['without an adapter', undefined],
    ['with one', 0.2],
  ])('gives guided drawings the log-probabilities that they were told to have, %s', async (_, scale) => {
    const adapter = scale === undefined ? undefined : await adapterOf(scale);
    const drawings = await backend.draw(requests, { adapter });
    for (const checkpointing of [false, true]) {
      const { logp } = await policyTerms(drawings, { ...(adapter && { adapter }), checkpointing });
      expect(logp.shape).toEqual([requests.length, backend.image.decisions]);
      expect(difference(toNumbers(logp), logProbsOf(drawings))).toBeLessThan(lastDigits);
    }
  });

  it('divides logits by the temperature, as the sampler does without guidance', async () => {
    const plain = await open({ guidance: 1 });
    const drawings = await plain.draw(requests, { sampler: { ...exactSampler, temperature: 0.7 } });
    const { logp } = await policyTerms(drawings, { temperature: 0.7 });
    const drawn = drawings.flatMap(({ samplerLogProbs }) => [...samplerLogProbs]);
    expect(difference(toNumbers(logp), drawn)).toBeLessThan(lastDigits);
  });

  it('tells the codes as the image decoder sees them: of length 1', async () => {
    const drawings = await backend.draw(requests.slice(0, 2));
    const { embeddings } = await policyTerms(drawings);
    const [rows = 0, steps = 0, width = 0] = embeddings.shape;
    expect([rows, steps]).toEqual([2, backend.image.decisions]);
    const values = toNumbers(embeddings);
    for (let i = 0; i < rows * steps; i++)
      expect(Math.hypot(...values.slice(i * width, (i + 1) * width))).toBeCloseTo(1, 5);
  });

  it('may be in a graph twice, with an adapter and without', async () => {
    const drawings = await backend.draw(requests.slice(0, 2));
    const { trainable } = backend;
    const promptLength = trainable.promptLength(drawings.map(({ prompt }) => prompt));
    const options = { rows: 2, promptLength, temperature: 1 };
    const graph = createGraph();
    const layout = loraLayout(backend.modules, loraOptions());
    const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
    output(
      'policy',
      trainable.build(graph, { ...options, adapter: { tensors: unflatten(flat, layout), scale: 2 } }).logp,
    );
    output('reference', trainable.build(graph, options).logp);
    await using session = await runtime.load(compile(graph));
    const { variables } = await adapterOf(0.2);
    const found = await session.run<'policy' | 'reference'>(trainable.feeds(drawings, options), { variables });
    expect(difference(toNumbers(found.reference), logProbsOf(drawings))).toBeLessThan(lastDigits);
    expect(difference(toNumbers(found.policy), logProbsOf(drawings))).toBeGreaterThan(1e-2);
  });

  it('has the gradient that differences of its log-probabilities have', async () => {
    // Every kind of module that can carry an adapter.
    const options = { rank: 2, alpha: 4, targets: backend.modules.map(({ name }) => name) };
    const layout = loraLayout(backend.modules, options);
    const start = await adapterOf(0.1, options);
    const drawings = await backend.draw(requests.slice(0, 2), { adapter: start });
    const { trainable } = backend;
    const promptLength = trainable.promptLength(drawings.map(({ prompt }) => prompt));
    const policy = { rows: 2, promptLength, temperature: 1 };
    const graph = createGraph();
    const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
    const terms = trainable.build(graph, { ...policy, adapter: { tensors: unflatten(flat, layout), scale: 2 } });
    const weights = input(graph, 'weights', { dtype: 'float32', shape: terms.logp.shape });
    const loss = sum(mul(terms.logp, weights));
    output('logp', terms.logp);
    output('gradient', gradients(loss, [flat])[0] ?? loss);
    await using session = await runtime.load(compile(graph), { use: 'training' });
    const random = Float32Array.from({ length: 2 * backend.image.decisions }, (_, i) => Math.cos(3 * i * i));
    const { adapter: at } = await start.variables.read(['adapter']);
    const values = toNumbers(at);
    const run = (changed: readonly number[]) =>
      session.run<'logp' | 'gradient'>({
        ...trainable.feeds(drawings, policy),
        adapter: { dtype: 'float32', shape: [values.length], data: Float32Array.from(changed) },
        weights: { dtype: 'float32', shape: terms.logp.shape, data: random },
      });
    // Summed here in double precision, so that only the rounding of single log-probabilities is left.
    const weighted = async (changed: readonly number[]) =>
      toNumbers((await run(changed)).logp).reduce((total, value, i) => total + value * (random[i] ?? 0), 0);
    const gradient = toNumbers((await run(values)).gradient);
    // Along the gradient of each adapted tensor alone: a place by itself may have none.
    const step = 1e-2;
    let offset = 0;
    const still: string[] = [];
    for (const { name, shape } of layout) {
      const size = shape.reduce((product, length) => product * length, 1);
      const part = gradient.slice(offset, offset + size);
      const norm = Math.hypot(...part);
      if (norm < 1e-6) still.push(name);
      else {
        const from = offset;
        const moved = (by: number) => values.map((value, i) => value + (by * (part[i - from] ?? 0)) / norm);
        const quotient = ((await weighted(moved(step))) - (await weighted(moved(-step)))) / (2 * step);
        expect(Math.abs(quotient - norm), name).toBeLessThan(3e-3 + 1e-2 * norm);
      }
      offset += size;
    }
    // All but the head of words, which drawing does not pass.
    expect(still).toEqual(['lm_head.lora_A.weight', 'lm_head.lora_B.weight']);
  });
});

describe('read', () => {
  const text = 'a red cube';
  const picture = (seed: number, width: number, height: number) => ({
    pixels: { width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * seed) % 256) },
  });

  it('does not depend on the requests beside it, and takes pictures of any size', async () => {
    const { width, height } = backend.image;
    const images = [picture(7, width, height), { none: true } as const, picture(11, 3, 5), picture(13, 40, 20)];
    const some = images.map((image, i) => ({ image, text: requests[i]?.prompt ?? text }));
    const all = await backend.read(some);
    for (const [i, request] of some.entries()) {
      const [alone] = await backend.read([request]);
      expect(alone?.tokens.join('')).toBe(request.text);
      expect(difference(alone?.logProbs ?? [], all[i]?.logProbs ?? [])).toBeLessThan(lastDigits);
    }
  });

  it('looks at the image, and at its own picture as at any other', async () => {
    const [drawing] = await backend.draw(requests.slice(0, 1));
    if (!drawing) throw new Error('unreachable: there is one');
    const [pixels] = await backend.decode([{ ...drawing, randomness: stream.at(0) }]);
    if (!pixels) throw new Error('unreachable: there is one');
    const traces = await backend.read([
      { image: { pixels }, text },
      { image: { none: true }, text },
      { image: picture(7, pixels.width, pixels.height), text },
    ]);
    expect(new Set(traces.map(({ logProbs }) => logProbs.join())).size).toBe(3);
  });

  it('refuses tokens, for Janus sees features alone, and images without bytes', async () => {
    const [drawing] = await backend.draw(requests.slice(0, 1));
    const tokens = drawing?.tokens ?? new Int32Array();
    expect(backend.representations).toEqual(['features']);
    const broken = { width: 8, height: 8, data: new Uint8Array(5) };
    for (const image of [{ tokens }, { pixels: broken }])
      await expect(backend.read([{ image, text }])).rejects.toThrow(/GVU_MODEL_IMAGE/);
    for (const wrong of [tokens.slice(1), tokens.with(0, -1), tokens.with(0, 1e6)])
      await expect(backend.decode([{ tokens: wrong, prompt: text, randomness: stream.at(0) }])).rejects.toThrow(
        /GVU_MODEL_IMAGE/,
      );
  });

  it('answers alike, alone and beside others', async () => {
    const questions = [picture(3, 8, 8), picture(5, 8, 8)].map((image) => ({ image, question: 'is it red?' }));
    const answers = await backend.answer(questions, { maxTokens: 6 });
    expect(await backend.answer(questions.slice(1), { maxTokens: 6 })).toEqual(answers.slice(1));
    expect(answers.every((answer) => typeof answer === 'string')).toBe(true);
  });
});
