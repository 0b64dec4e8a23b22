/** X-Omni behind the contract of a backend: what is drawn, read and differentiated is one policy; pictures, previews, refusals. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RandomAddress, randomStream } from '@gvu/core';
import type { Backend, DrawRequest, Pixels } from '@gvu/models';
import {
  compile,
  createGraph,
  flatSize,
  gradients,
  initialLora,
  input,
  loraLayout,
  mul,
  output,
  packFlat,
  Runtime,
  resizeNearest,
  slice,
  sum,
  tensorData,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createXOmniBackend } from '../src/backend.ts';
import type { XOmniOptions } from '../src/options.ts';
import { samplers } from '../src/samplers.ts';
import { describeInstruction } from '../src/sequences.ts';
import { difference, numbers } from './fixtures.ts';
import { type Checkpoint, encoderFacts, tinyCheckpoint } from './tiny-checkpoint.ts';

const prompts = ['a photo of a red cube', 'two blue spheres on a wooden table', 'a photo of a red cube'];
const seed = randomStream(20261123, 'x-omni/test');
const requests: readonly DrawRequest[] = prompts.map((prompt, i) => ({ prompt, randomness: seed.at(i) }));

let runtime: Runtime;
let checkpoint: Checkpoint;
let patch: number;
let backend: Backend;
const opened = (options: Partial<XOmniOptions> = {}): Promise<Backend> =>
  createXOmniBackend(
    {
      model: checkpoint.path,
      imageSize: { width: 4 * patch, height: 3 * patch },
      sampler: 'exact',
      guidance: 1,
      dtype: 'float32',
      ...options,
    },
    { runtime },
  );
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
  ({ patch } = await encoderFacts());
  checkpoint = await tinyCheckpoint({ encoder: true });
  backend = await opened();
});
afterAll(async () => {
  await runtime.dispose();
  await checkpoint[Symbol.asyncDispose]();
});

/** Log-probabilities of drawings by the policy's graph. */
async function policyLogProbs(drawings: Awaited<ReturnType<Backend['draw']>>): Promise<readonly number[]> {
  const graph = createGraph({ name: 'policy' });
  const promptLength = backend.trainable.promptLength(drawings.map(({ prompt }) => prompt));
  const { logp } = backend.trainable.build(graph, { rows: drawings.length, promptLength, temperature: 1 });
  output('logp', logp);
  await using session = await runtime.load(compile(graph));
  return numbers((await session.run(backend.trainable.feeds(drawings, { promptLength }))).logp);
}

describe('drawing', () => {
  it('gives as many tokens as decisions, the same for the same address', async () => {
    const [drawn, again] = [await backend.draw(requests), await backend.draw(requests)];
    expect(backend.image).toEqual({ width: 4 * patch, height: 3 * patch, decisions: 12 });
    for (const { tokens, logProbs } of drawn) expect([tokens.length, logProbs.length]).toEqual([12, 12]);
    expect(again).toEqual(drawn);
    expect(drawn[0]?.tokens).not.toEqual(drawn[2]?.tokens); // one prompt, two addresses
  });

  it('does not depend on what is drawn beside it', async () => {
    const together = await backend.draw(requests);
    for (const [i, request] of requests.entries()) {
      const [alone] = await backend.draw([request]);
      expect(alone?.tokens).toEqual(together[i]?.tokens);
      expect(difference([...(alone?.logProbs ?? [])], [...(together[i]?.logProbs ?? [])])).toBeLessThan(2e-5);
    }
  });

  it.each([1, 3])('of a group goes through its prompt once, with guidance %d, as each alone does', async (guidance) => {
    await using guided = await opened({ guidance });
    // Two prompts of different lengths, four drawings of each in an order of their own.
    const group = [0, 1, 1, 0, 0, 1, 0, 1].map((prompt, i) => ({
      prompt: prompts[prompt] ?? '',
      randomness: seed.at(7, i),
    }));
    const together = await guided.draw(group);
    for (const [i, request] of group.entries()) {
      const [alone] = await guided.draw([request]);
      expect(together[i]?.tokens).toEqual(alone?.tokens);
      expect(difference([...(together[i]?.logProbs ?? [])], [...(alone?.logProbs ?? [])])).toBeLessThan(2e-5);
    }
  });

  it.each(Object.keys(samplers))(
    '%s: log-probabilities are those of the policy that is differentiated',
    async (preset) => {
      const sampler = samplers[preset === 'exact' ? 'exact' : 'reference'];
      const drawn = await backend.draw(requests, { sampler });
      const found = drawn.flatMap(({ logProbs }) => [...logProbs]);
      expect(difference(await policyLogProbs(drawn), found)).toBeLessThan(5e-5);
      const law = drawn.flatMap(({ samplerLogProbs }) => [...samplerLogProbs]);
      if (preset === 'exact') expect(difference(law, found)).toBeLessThan(1e-6);
      else expect(law.every((value, i) => value >= (found[i] ?? 0) - 1e-6)).toBe(true);
    },
  );

  it('with guidance the policy stays the conditional one', async () => {
    await using guided = await opened({ guidance: 3 });
    const drawn = await guided.draw(requests);
    const found = drawn.flatMap(({ logProbs }) => [...logProbs]);
    expect(difference(await policyLogProbs(drawn), found)).toBeLessThan(5e-5);
    expect(drawn.map(({ tokens }) => tokens)).not.toEqual((await backend.draw(requests)).map(({ tokens }) => tokens));
  });

  it('in half precision stays close', async () => {
    await using half = await opened({ dtype: 'float16' });
    const [drawn] = await half.draw(requests.slice(0, 1));
    expect(difference(await policyLogProbs(drawn ? [drawn] : []), [...(drawn?.logProbs ?? [])])).toBeLessThan(0.1);
  });
});

describe('an adapter', () => {
  const options = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj', 'mm_embed_tokens', 'lm_head', 'mm_head'] };
  /** Values that change something, unlike those that training starts from. */
  const values = () => {
    const layout = loraLayout(backend.modules, options);
    const { shape } = packFlat(layout, 'float32', initialLora(backend.modules, options, 1));
    return tensorData(
      'float32',
      shape,
      Array.from({ length: shape[0] ?? 0 }, (_, i) => 0.1 * Math.sin(1 + 7 * i)),
    );
  };

  it('changes drawings and readings while it is given, as its policy says', async () => {
    await using variables = await runtime.variables({ adapter: values(), gradient: values() });
    const adapter = { options, variables };
    const [plain, adapted] = [await backend.draw(requests), await backend.draw(requests, { adapter })];
    expect(adapted[0]?.logProbs).not.toEqual(plain[0]?.logProbs);
    const reading = plain.map(({ tokens, prompt }) => ({ image: { tokens }, text: prompt }));
    expect(await backend.read(reading, { adapter })).not.toEqual(await backend.read(reading));
    await variables.write({ adapter: tensorData('float32', values().shape, new Float32Array(values().data.length)) });
    expect(await backend.draw(requests, { adapter })).toEqual(plain);
  });

  it('has gradients that agree with differences', async () => {
    const drawn = await backend.draw(requests.slice(0, 2));
    const graph = createGraph({ name: 'gradient' });
    const layout = loraLayout(backend.modules, options);
    const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
    const promptLength = backend.trainable.promptLength(prompts);
    const scale = options.alpha / options.rank;
    const adapter = { tensors: unflatten(flat, layout), scale };
    const common = { rows: drawn.length, promptLength, temperature: 0.9, adapter };
    const { logp, entropy } = backend.trainable.build(graph, common);
    const loss = sum(logp);
    output('loss', loss);
    output('entropy', entropy);
    for (const [i, gradient] of gradients(loss, [flat]).entries()) output(`gradient${i}`, gradient);
    await using session = await runtime.load(compile(graph), { use: 'training' });
    const feeds = backend.trainable.feeds(drawn, { promptLength });
    const start = [...toNumbers(values())];
    const run = (data: readonly number[]) =>
      session.run({ ...feeds, adapter: tensorData('float32', flat.shape, data) });
    const first = await run(start);
    const gradient = numbers(first.gradient0);
    expect(numbers(first.entropy).every((value) => value > 0 && value < Math.log(1e3))).toBe(true);
    // Along one direction, that of the gradient's signs with uneven weights, in steps that change the loss by a hundredth: far above
    // float32's rounding of the loss, and small against its curvature.
    const direction = gradient.map((value, i) => Math.sign(value) * (1 + (i % 7)));
    const expected = gradient.reduce((total, value, i) => total + value * (direction[i] ?? 0), 0);
    const step = 0.01 / expected;
    const at = async (factor: number) => {
      const moved = await run(start.map((value, i) => value + factor * step * (direction[i] ?? 0)));
      return numbers(moved.loss)[0] ?? Number.NaN;
    };
    const slope = ((await at(1)) - (await at(-1))) / (2 * step);
    expect(Math.abs(slope / expected - 1)).toBeLessThan(5e-3);
  });
});

describe('reading', () => {
  it('the instruction is that of the paper unless another is given', async () => {
    const [drawing] = await backend.draw(requests.slice(0, 1));
    const image = { tokens: drawing?.tokens ?? new Int32Array() };
    const text = 'a photo of a red cube';
    const [own, same, other] = await backend.read([
      { image, text },
      { image, text, instruction: describeInstruction },
      { image, text, instruction: 'What is this?' },
    ]);
    expect(own?.logProbs.length).toBeGreaterThan(3);
    expect(own?.tokens.join('')).toBe(text);
    expect(difference(own?.logProbs ?? [], same?.logProbs ?? [])).toBeLessThan(1e-5);
    expect(other?.logProbs).not.toEqual(own?.logProbs);
  });

  it('looks at pictures by its own tokens of them', async () => {
    const picture = noisePicture({ width: 3 * patch, height: 2 * patch });
    const other = noisePicture({ width: 5 * patch + 3, height: 4 * patch }); // brought to whole patches
    const text = 'a photo of a red cube';
    const shown = [{ pixels: picture }, { pixels: other }, { none: true }] as const;
    const traces = await backend.read(shown.map((image) => ({ image, text })));
    expect(new Set(traces.map(({ logProbs }) => logProbs[1]?.toFixed(4))).size).toBe(3);
    for (const { logProbs } of traces) expect(logProbs.every((value) => value < 0)).toBe(true);
    const answers = await backend.answer([{ image: { pixels: picture } }, { image: { none: true } }], { maxTokens: 5 });
    expect(answers.map((answer) => typeof answer)).toEqual(['string', 'string']);
  });

  it.each([
    ['an empty text', { text: '' }],
    ['a text that ends its turn', { text: 'a cube<|im_end|>' }],
    ['a text that brings an image', { text: '<SOM>1 1<IMAGE><MM-Token-0><EOM>' }],
    ['an instruction with an image token', { instruction: '<MM-Token-3>', text: 'a cube' }],
    ['a text beyond all positions', { text: 'cube '.repeat(5000) }],
  ])('refuses %s', async (_, request) => {
    await expect(backend.read([{ image: { none: true }, ...request }])).rejects.toMatchObject({
      code: 'GVU_MODEL_TEXT',
    });
  });

  it.each([
    ['too few tokens', { tokens: new Int32Array(11) }],
    ['a token beyond the codebook', { tokens: new Int32Array(12).fill(1 << 20) }],
    ['a negative token', { tokens: new Int32Array(12).fill(-1) }],
    ['too few bytes', { pixels: { width: 40, height: 40, data: new Uint8Array(5) } }],
    ['a picture that is too small', { pixels: { width: 2, height: 2, data: new Uint8Array(12) } }],
    ['a picture of no size', { pixels: { width: Number.NaN, height: 0, data: new Uint8Array(0) } }],
  ])('refuses %s', async (_, image) => {
    await expect(backend.read([{ image, text: 'a cube' }])).rejects.toMatchObject({ code: 'GVU_MODEL_IMAGE' });
  });

  it('refuses prompts with control tokens', async () => {
    const randomness = seed.at(9);
    for (const prompt of ['', '<IMAGE>', 'a <|im_start|>'])
      await expect(backend.draw([{ prompt, randomness }])).rejects.toMatchObject({ code: 'GVU_MODEL_TEXT' });
  });
});

describe('pictures of drawings', () => {
  const drawing = (tokens: readonly number[], randomness: RandomAddress = seed.at(5)) => ({
    tokens: Int32Array.from(tokens),
    prompt: 'a cube',
    randomness,
  });

  it('without a decoder are patches, equal where tokens are, and are not offered to be read', async () => {
    const [picture] = await backend.decode([drawing([1, 2, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])]);
    expect([picture?.width, picture?.height]).toEqual([4 * patch, 3 * patch]);
    const at = (x: number, y: number) =>
      [...(picture?.data ?? [])].slice(3 * (y * 4 * patch + x), 3 * (y * 4 * patch + x) + 3);
    expect(at(0, 0)).toEqual(at(3 * patch, patch - 1));
    expect(at(0, 0)).not.toEqual(at(patch, 0));
    expect(at(patch, 0)).toEqual(at(0, patch));
    expect(backend.representations).toEqual(['emitted-tokens']);
    await expect(backend.decode([drawing([1, 2])])).rejects.toMatchObject({ code: 'GVU_MODEL_IMAGE' });
  });

  it('come from an ONNX decoder, with its noise from the address alone, and can be read', async () => {
    const decoder = join(checkpoint.path, 'decoder.onnx');
    await writeFile(decoder, onnxDecoder());
    await using painting = await opened({ decoder });
    expect(painting.representations).toEqual(['emitted-tokens', 'retokenised-pixels']);
    expect(painting.image).toEqual({ width: 4 * patch, height: 3 * patch, decisions: 12 });
    expect(painting.version).not.toBe(backend.version);
    const drawings = await painting.draw(requests);
    const asked = drawings.map((one, i) => ({ ...one, randomness: seed.at(i, 7) }));
    const pictures = await painting.decode(asked);
    expect(await painting.decode(asked.slice(1, 2))).toEqual(pictures.slice(1, 2));
    expect(pictures[0]?.data).not.toEqual(pictures[1]?.data);
    const traces = await painting.read(pictures.map((pixels, i) => ({ image: { pixels }, text: prompts[i] ?? '' })));
    expect(traces.every(({ logProbs }) => logProbs.every(Number.isFinite))).toBe(true);
  });

  it('are refused from a decoder of another form', async () => {
    const decoder = join(checkpoint.path, 'other.onnx');
    const graph = createGraph();
    output('pixels', mul(input(graph, 'latents', { dtype: 'float32', shape: [1, 3, 2, 2] }), 2));
    await writeFile(decoder, compile(graph).model);
    await expect(opened({ decoder })).rejects.toThrowError(/GVU_XOMNI_DECODER.*its inputs are latents/);
    await expect(opened({ decoder: join(checkpoint.path, 'none.onnx') })).rejects.toMatchObject({
      code: 'GVU_XOMNI_DECODER',
    });
  });

  /** A decoder of the required form: three channels of the latents, enlarged, and some noise. */
  function onnxDecoder(): Uint8Array {
    const graph = createGraph();
    const { width } = latents;
    const semantic = input(graph, 'semantic', { dtype: 'float32', shape: [1, width, 3, 4] });
    const noise = input(graph, 'noise', { dtype: 'float32', shape: [1, 3, 1, 1] });
    const colours = mul(slice(semantic, 1, { end: 3 }), noise);
    output('pixels', resizeNearest(colours, [3 * patch, 4 * patch]));
    return compile(graph).model;
  }
  const latents = { width: 0 };
  beforeAll(async () => {
    latents.width = await latentWidth();
  });
});

async function latentWidth(): Promise<number> {
  const { openTorch } = await import('@gvu/models');
  const { tensors } = await openTorch(join(checkpoint.path, 'vit.pt'));
  return tensors.get('patch_embed.proj.weight')?.shape[0] ?? 0;
}

function noisePicture({ width, height }: Pick<Pixels, 'width' | 'height'>): Pixels {
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7919) % 251) };
}

it('its version changes with weights and options', async () => {
  await using other = await opened({ imageSize: 2 * patch });
  expect(other.version).not.toBe(backend.version);
  await using same = await opened();
  expect(same.version).toBe(backend.version);
});
