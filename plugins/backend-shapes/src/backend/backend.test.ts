import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, Drawing } from '@gvu/models';
import {
  compile,
  createGraph,
  flatSize,
  gradients,
  initialLora,
  input,
  type LoraOptions,
  loraLayout,
  mul,
  output,
  packFlat,
  Runtime,
  sum,
  type TensorDataOf,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyConfig, tinyModel, tinyValues } from '../../test/tiny-model.ts';
import { imageTokens } from '../model/config.ts';
import { writeModel } from '../model/weights.ts';
import { createCatalogue, renderScene, sampleScene } from '../world/index.ts';
import { createShapesBackend } from './backend.ts';
import { fromPlanes } from './planes.ts';

let folder: string;
let runtime: Runtime;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-shapes-backend-'));
  await writeModel(folder, tinyConfig, tinyValues());
  runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
  backend = await createShapesBackend({ model: folder }, { runtime });
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

const stream = randomStream(11, 'test/backend');
const catalogue = createCatalogue(tinyConfig.world);
const entries = catalogue.entries.filter((_, i) => i % 211 === 0).slice(0, 43);
const requests = entries.map(({ metadata }, i) => ({ prompt: metadata.prompt, randomness: stream.at(i) }));
const pictures = entries.slice(0, 3).map(({ metadata }, i) => {
  const scene = sampleScene(tinyConfig.world, metadata, { address: stream.at(i, 0) });
  return renderScene(tinyConfig.world, scene, stream.at(i, 1));
});
const anyTokens = Int32Array.from({ length: imageTokens }, (_, i) => (i * 5) % 8);
const greatest = (values: readonly number[]) => Math.max(...values.map(Math.abs));
const differences = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? Number.NaN) - (b[i] ?? Number.NaN));

/** Kernels round by where a row stands in its batch: the last digits of a log-probability differ. */
const lastDigits = 5e-6;

/** An adapter over every default target, of random values, or of zeros. */
async function adapterOf(options: LoraOptions, scale: number): Promise<ActiveAdapter> {
  const layout = loraLayout(backend.modules, options);
  const values = Float32Array.from({ length: flatSize(layout) }, (_, i) => scale * Math.sin(7 * i + 1));
  const adapter: TensorDataOf<'float32'> = { dtype: 'float32', shape: [values.length], data: values };
  return { options, variables: await runtime.variables({ adapter }) };
}
const loraOptions = (): LoraOptions => ({ rank: 2, alpha: 4, targets: backend.defaultTargets });

/** What the policy's graph gives for drawings. */
async function policyTerms(
  drawings: readonly Drawing[],
  {
    adapter,
    temperature = 1,
    checkpointing = false,
  }: {
    adapter?: ActiveAdapter;
    temperature?: number;
    checkpointing?: boolean;
  } = {},
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
    ...(adapter &&
      flat && {
        adapter: { tensors: unflatten(flat, layout), scale: adapter.options.alpha / adapter.options.rank },
      }),
  });
  output('logp', terms.logp);
  output('entropy', terms.entropy);
  output('mask', terms.mask);
  if (terms.embeddings) output('embeddings', terms.embeddings);
  await using session = await runtime.load(compile(graph));
  return await session.run<'logp' | 'entropy' | 'mask' | 'embeddings'>(trainable.feeds(drawings, { promptLength }), {
    variables: adapter?.variables,
  });
}

describe('draw', () => {
  it('gives each request the same drawing, whichever others are beside it', async () => {
    const together = await backend.draw(requests);
    expect(together).toHaveLength(43); // in a batch of 64, the one alone in another of 16
    const alone = await backend.draw(requests.slice(40, 41));
    const turned = await backend.draw(requests.toReversed());
    for (const [one, other] of [
      [alone[0], together[40]],
      ...together.map((drawing, i) => [drawing, turned.at(-1 - i)]),
    ]) {
      expect(one?.tokens).toEqual(other?.tokens);
      expect(greatest(differences(one?.logProbs ?? [], other?.logProbs ?? []))).toBeLessThan(lastDigits);
    }
    expect(new Set(together.map(({ tokens }) => tokens.join())).size).toBe(43);
  });

  it('follows the randomness, the prompt and the sampler', async () => {
    const [first, second] = requests;
    if (!first || !second) throw new Error('unreachable: there are 43');
    const [one, other, another, again] = await backend.draw([
      first,
      { ...first, randomness: second.randomness },
      { ...first, prompt: 'a photo of four circles' },
      first,
    ]);
    expect(again).toEqual(one);
    expect(other?.tokens).not.toEqual(one?.tokens);
    expect(another?.tokens).not.toEqual(one?.tokens);
    expect(one).toMatchObject({
      prompt: first.prompt,
      tokens: { length: imageTokens },
      logProbs: one?.samplerLogProbs,
    });

    const sampler = { temperature: 0.5, topK: 3, topP: 1, minP: 0 };
    const [narrow] = await backend.draw([first], { sampler });
    const certain = narrow?.samplerLogProbs.filter((value, i) => value < (narrow.logProbs[i] ?? 0));
    expect(narrow?.samplerLogProbs).not.toEqual(narrow?.logProbs);
    expect(certain?.length).toBeLessThan(imageTokens / 2);
    const byDefault = await createShapesBackend({ model: folder, sampler }, { runtime });
    expect(byDefault.sampler).toEqual(sampler);
    expect(await byDefault.draw([first])).toEqual([narrow]);
  });

  it('draws nothing from nothing', async () => {
    expect(await backend.draw([])).toEqual([]);
    expect(await backend.decode([])).toEqual([]);
    expect(await backend.read([])).toEqual([]);
    expect(await backend.answer([])).toEqual([]);
  });

  it('rejects with the reason of an abort', async () => {
    await expect(backend.draw(requests, { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_RUNTIME_ABORTED' }),
    );
  });
});

describe('adapters', () => {
  it('of zeros change nothing, others everything that runs the backbone', async () => {
    const some = requests.slice(0, 8);
    const zeros = await adapterOf(loraOptions(), 0);
    const adapter = await adapterOf(loraOptions(), 0.2);
    const [plain, zeroed, adapted] = await Promise.all([
      backend.draw(some),
      backend.draw(some, { adapter: zeros }),
      backend.draw(some, { adapter }),
    ]);
    plain.forEach(({ tokens, logProbs }, i) => {
      expect(zeroed[i]?.tokens).toEqual(tokens);
      expect(greatest(differences(zeroed[i]?.logProbs ?? [], logProbs))).toBeLessThan(1e-6);
      expect(adapted[i]?.tokens).not.toEqual(tokens);
    });
    const texts = plain.map(({ tokens, prompt }) => ({ image: { tokens }, text: prompt }));
    const [read, readZeroed, readAdapted] = await Promise.all([
      backend.read(texts),
      backend.read(texts, { adapter: zeros }),
      backend.read(texts, { adapter }),
    ]);
    read.forEach(({ logProbs }, i) => {
      expect(greatest(differences(readZeroed[i]?.logProbs ?? [], logProbs))).toBeLessThan(1e-6);
      expect(greatest(differences(readAdapted[i]?.logProbs ?? [], logProbs))).toBeGreaterThan(1e-2);
    });
    const images = plain.map(({ tokens }) => ({ image: { tokens } }));
    expect(await backend.answer(images, { adapter: zeros })).toEqual(await backend.answer(images));
    expect(await backend.answer(images, { adapter })).not.toEqual(await backend.answer(images));
  });

  it('can lie on the embedding and the head too, and be replaced between two calls', async () => {
    const options = { rank: 1, alpha: 1, targets: ['embed_tokens', 'lm_head', 'k_proj'] };
    const adapter = await adapterOf(options, 0.5);
    const before = await backend.draw(requests.slice(0, 8), { adapter });
    const layout = loraLayout(backend.modules, options);
    await adapter.variables.write({
      adapter: packFlat(layout, 'float32', initialLora(backend.modules, options, 5)),
    });
    const after = await backend.draw(requests.slice(0, 8), { adapter });
    const plain = await backend.draw(requests.slice(0, 8));
    before.forEach(({ tokens }, i) => {
      expect(tokens).not.toEqual(plain[i]?.tokens);
    });
    expect(after.map(({ tokens }) => tokens)).toEqual(plain.map(({ tokens }) => tokens));
  });
});

describe('the trainable policy', () => {
  it.each([
    ['without an adapter', undefined],
    ['with one', 0.2],
  ])('gives drawings the log-probabilities that they were drawn with, %s', async (_, scale) => {
    const adapter = scale === undefined ? undefined : await adapterOf(loraOptions(), scale);
    const drawings = await backend.draw(requests.slice(0, 12), { adapter });
    for (const checkpointing of [false, true]) {
      const terms = await policyTerms(drawings, { ...(adapter && { adapter }), checkpointing });
      expect(terms.logp.shape).toEqual([12, imageTokens]);
      const drawn = drawings.flatMap(({ logProbs }) => [...logProbs]);
      expect(greatest(differences(toNumbers(terms.logp), drawn))).toBeLessThan(1e-4);
    }
  });

  it('divides logits by the temperature, and tells entropy, mask and embeddings', async () => {
    const sampler = { temperature: 0.7, topK: 0, topP: 1, minP: 0 };
    const drawings = await backend.draw(requests.slice(0, 8), { sampler });
    const terms = await policyTerms(drawings, { temperature: 0.7 });
    const drawn = drawings.flatMap(({ samplerLogProbs }) => [...samplerLogProbs]);
    expect(greatest(differences(toNumbers(terms.logp), drawn))).toBeLessThan(1e-4);
    const entropies = toNumbers(terms.entropy);
    expect(entropies).toHaveLength(8 * imageTokens);
    expect(entropies.every((value) => value > 0 && value < Math.log(tinyConfig.tokenizer.codes))).toBe(true);
    expect(toNumbers(terms.mask)).toEqual(Array(8 * imageTokens).fill(1));
    expect(terms.embeddings.shape).toEqual([8, imageTokens, 4]);
    const codebook = toNumbers(tinyValues().get('tokenizer.codebook.weight') ?? terms.logp);
    const token = drawings[1]?.tokens[3] ?? 0;
    const row = toNumbers(terms.embeddings).slice((imageTokens + 3) * 4, (imageTokens + 4) * 4);
    // The file has half precision.
    expect(greatest(differences(row, codebook.slice(4 * token, 4 * token + 4)))).toBeLessThan(2e-3);
  });

  it('may be in a graph twice, with an adapter and without', async () => {
    const drawings = await backend.draw(requests.slice(0, 8));
    const { trainable } = backend;
    const options = { rows: 8, promptLength: trainable.promptLength([]), temperature: 1 };
    const graph = createGraph();
    const layout = loraLayout(backend.modules, loraOptions());
    const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
    const adapter = { tensors: unflatten(flat, layout), scale: 2 };
    output('policy', trainable.build(graph, { ...options, adapter }).logp);
    output('reference', trainable.build(graph, options).logp);
    await using session = await runtime.load(compile(graph));
    const { variables } = await adapterOf(loraOptions(), 0.2);
    const { policy, reference } = await session.run<'policy' | 'reference'>(trainable.feeds(drawings, options), {
      variables,
    });
    const drawn = drawings.flatMap(({ logProbs }) => [...logProbs]);
    expect(greatest(differences(toNumbers(reference), drawn))).toBeLessThan(1e-4);
    expect(greatest(differences(toNumbers(policy), drawn))).toBeGreaterThan(1e-2);
  });

  it('has the gradient that differences of its log-probabilities have', async () => {
    const options = loraOptions();
    const layout = loraLayout(backend.modules, options);
    const start = await adapterOf(options, 0.1);
    const drawings = await backend.draw(requests.slice(0, 4), { adapter: start });
    const { trainable } = backend;
    const policy = { rows: 4, promptLength: trainable.promptLength([]), temperature: 1 };
    const graph = createGraph();
    const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
    const terms = trainable.build(graph, { ...policy, adapter: { tensors: unflatten(flat, layout), scale: 2 } });
    const weights = input(graph, 'weights', { dtype: 'float32', shape: [4, imageTokens] });
    const loss = sum(mul(terms.logp, weights));
    output('logp', terms.logp);
    output('gradient', gradients(loss, [flat])[0] ?? loss);
    await using session = await runtime.load(compile(graph), { use: 'training' });
    const random = Float32Array.from({ length: 4 * imageTokens }, (_, i) => Math.cos(3 * i * i));
    const { adapter: at } = await start.variables.read(['adapter']);
    const values = toNumbers(at);
    const run = (changed: readonly number[]) =>
      session.run<'logp' | 'gradient'>({
        ...trainable.feeds(drawings, policy),
        adapter: { dtype: 'float32', shape: [values.length], data: Float32Array.from(changed) },
        weights: { dtype: 'float32', shape: [4, imageTokens], data: random },
      });
    // Summed here in double precision: of float32 only the rounding of single log-probabilities is left, some 1e-6 each, which
    // makes about 1e-5 of the sum over 64 and 1e-5 / 2e-2 = 5e-4 of the quotient, beside the step's own error.
    const weighted = async (changed: readonly number[]) =>
      toNumbers((await run(changed)).logp).reduce((total, value, i) => total + value * (random[i] ?? 0), 0);
    const gradient = toNumbers((await run(values)).gradient);
    const step = 1e-2;
    for (const place of [0, 40, 101, 333, Math.floor(values.length / 2), values.length - 1]) {
      const moved = (by: number) => values.with(place, (values[place] ?? 0) + by);
      const quotient = ((await weighted(moved(step))) - (await weighted(moved(-step)))) / (2 * step);
      expect(Math.abs(quotient - (gradient[place] ?? Number.NaN))).toBeLessThan(2e-3 + 1e-2 * Math.abs(quotient));
    }
    expect(greatest(gradient)).toBeGreaterThan(0.1);
  });
});

describe('read', () => {
  it('gives what the model gives for the words of a text', async () => {
    const text = 'A photo of  a red circle, and a moon?';
    const [trace] = await backend.read([{ image: { tokens: anyTokens }, text, instruction: 'what shape is red?' }]);
    expect(trace?.tokens).toEqual(['a', 'photo', 'of', 'a', 'red', 'circle', ',', 'and', 'a', 'moon', '?']);
    const { words } = tinyModel(runtime).ids;
    const row = { codes: [...anyTokens], instruction: words.encode('what shape is red?'), answer: words.encode(text) };
    const [direct] = await tinyModel(runtime).read([row]);
    expect(direct).toHaveLength(12);
    // The backend's weights were rounded to half precision.
    expect(greatest(differences(trace?.logProbs ?? [], direct?.slice(0, -1) ?? []))).toBeLessThan(0.05);
  });

  it('asks for a description by default, and does not depend on the requests beside it', async () => {
    const some = requests.slice(0, 20).map(({ prompt }) => ({ image: { tokens: anyTokens }, text: prompt }));
    const all = await backend.read(some);
    const [text = ''] = some.slice(17).map((request) => request.text);
    const instruction = 'describe the image in detail';
    for (const alone of [
      await backend.read(some.slice(17, 18)),
      await backend.read([{ image: { tokens: anyTokens }, text, instruction }]),
    ]) {
      expect(alone[0]?.tokens).toEqual(all[17]?.tokens);
      expect(greatest(differences(alone[0]?.logProbs ?? [], all[17]?.logProbs ?? []))).toBeLessThan(lastDigits);
    }
  });

  it('makes tokens of pixels', async () => {
    const codes = await tinyModel(runtime).encode(pictures);
    const text = 'a photo of a circle';
    const fromPixels = await backend.read(pictures.map((planes) => ({ image: { pixels: fromPlanes(planes) }, text })));
    const fromTokens = await backend.read(codes.map((row) => ({ image: { tokens: Int32Array.from(row) }, text })));
    // Half precision may move a patch to another code, of few different ones here: most images keep all of theirs.
    const same = fromPixels.filter(
      (trace, i) => greatest(differences(trace.logProbs, fromTokens[i]?.logProbs ?? [])) < 1e-5,
    );
    expect(same.length).toBeGreaterThan(0);
  });

  it('takes an empty ground for no image', async () => {
    const text = 'a photo of a circle';
    const ground = { pixels: fromPlanes(renderScene(tinyConfig.world, [])) };
    const [none, empty, other] = await backend.read([
      { image: { none: true }, text },
      { image: ground, text },
      { image: { tokens: anyTokens }, text },
    ]);
    expect(greatest(differences(none?.logProbs ?? [], empty?.logProbs ?? []))).toBeLessThan(lastDigits);
    expect(none).not.toEqual(other);
  });
});

describe('answer', () => {
  it('takes the likeliest word each time, whichever questions are beside', async () => {
    const image = { tokens: anyTokens };
    const question = 'how many circles are there?';
    const [long, answered] = await backend.answer(
      [{ image }, { image, question }, { image, question: 'what color is the moon?' }],
      { maxTokens: 3 },
    );
    expect(await backend.answer([{ image, question }], { maxTokens: 3 })).toEqual([answered]);
    expect(long?.split(' ').length).toBeLessThanOrEqual(3);

    const { words } = tinyModel(runtime).ids;
    const all = Array.from({ length: words.size }, (_, id) => words.decode([id])).filter(Boolean);
    let sofar = '';
    for (const word of answered?.match(/[^\s,?]+|[,?]/g) ?? []) {
      const traces = await backend.read(
        all.map((next) => ({ image, instruction: question, text: `${sofar} ${next}` })),
      );
      const scores = traces.map(({ logProbs }) => logProbs.at(-1) ?? Number.NaN);
      expect(all[scores.indexOf(Math.max(...scores))]).toBe(word);
      sofar += ` ${word}`;
    }
    expect(sofar).not.toBe('');
  });
});

describe('decode', () => {
  it('takes its noise from the address, and not from what drawing used', async () => {
    const [drawing] = await backend.draw(requests.slice(0, 1));
    const tokens = drawing?.tokens ?? anyTokens;
    const one = { tokens, prompt: '', randomness: stream.at(900) };
    const [first, second, third] = await backend.decode([one, { ...one, randomness: stream.at(901) }, one]);
    expect(first).toMatchObject({ width: 64, height: 64, data: { length: 12288 } });
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
    expect(await backend.decode([one])).toEqual([first]);
  });
});

describe('refuses', () => {
  const image = { tokens: anyTokens };
  const text = 'a photo of a circle';
  it.each([
    ['a prompt of unknown words', 'a photo of a dog', /"a photo of a dog": Unknown words: "dog"/],
    ['an empty prompt', ' ', /empty/],
    ['a prompt that is too long', 'a circle '.repeat(9), /18 words; at most 16/],
  ])('%s', async (_, prompt, message) => {
    const refusal = expect.objectContaining({ code: 'GVU_MODEL_TEXT', message: expect.stringMatching(message) });
    await expect(backend.draw([{ prompt, randomness: stream.at(1) }])).rejects.toThrow(refusal);
  });

  it('to draw, read or answer with an adapter that is no numbers', async () => {
    const broken = { adapter: await adapterOf(loraOptions(), Number.NaN) };
    const refusal = expect.objectContaining({ code: 'GVU_MODEL_NAN' });
    await expect(backend.draw([{ prompt: text, randomness: stream.at(1) }], broken)).rejects.toThrow(refusal);
    await expect(backend.read([{ image, text }], broken)).rejects.toThrow(refusal);
    await expect(backend.answer([{ image }], broken)).rejects.toThrow(refusal);
  });

  it('every text at once', async () => {
    const asked = backend.read([
      { image, text: 'a cat' },
      { image, text: '' },
      { image, text, instruction: 'bark' },
      { image, text: 'a circle '.repeat(9) },
    ]);
    await expect(asked).rejects.toThrow(
      expect.objectContaining({
        code: 'GVU_MODEL_TEXT',
        details: { problems: expect.toSatisfy((all) => all.length === 4) },
      }),
    );
    await expect(backend.answer([{ image, question: 'why?' }])).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_MODEL_TEXT' }),
    );
  });

  it.each([
    ['too few tokens', { tokens: anyTokens.slice(1) }],
    ['a token out of range', { tokens: Int32Array.from(anyTokens).fill(8, 5, 6) }],
    ['a token below 0', { tokens: Int32Array.from(anyTokens).fill(-1, 5, 6) }],
    ['pixels of another size', { pixels: { width: 32, height: 128, data: new Uint8Array(12288) } }],
    ['too few bytes', { pixels: { width: 64, height: 64, data: new Uint8Array(4096) } }],
  ])('%s', async (_, shown) => {
    const refusal = expect.objectContaining({ code: 'GVU_MODEL_IMAGE' });
    await expect(backend.read([{ image: shown, text }])).rejects.toThrow(refusal);
    await expect(backend.answer([{ image: shown }])).rejects.toThrow(refusal);
  });

  it('a directory without a model', async () => {
    await expect(createShapesBackend({ model: join(folder, 'none') }, { runtime })).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_SHAPES_MODEL' }),
    );
  });
});

it('has another version when its weights are others', async () => {
  const other = join(folder, 'other');
  await writeModel(other, tinyConfig, tinyValues(2));
  const second = await createShapesBackend({ model: other }, { runtime });
  expect(backend.version).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{12}$/);
  expect(second.version).not.toBe(backend.version);
  expect((await createShapesBackend({ model: folder }, { runtime })).version).toBe(backend.version);
  expect(backend.parameters).toBeGreaterThan(1000);
});
