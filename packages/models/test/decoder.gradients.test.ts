/**
 * Gradients of whole decoders with respect to every tensor of theirs, against finite differences in float64: first the rules
 * (in float64), then what each target makes of them (in float32).
 */
import {
  type CheckOptions,
  checkGradients,
  constantData,
  gather,
  type RandomInput,
  Runtime,
  type Tensor,
  tensorData,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecoderConfig } from '../src/decoder/config.ts';
import { createDecoder } from '../src/decoder/decoder.ts';
import { decoderParameters } from '../src/decoder/parameters.ts';
import { sequenceLogits } from '../src/decoder/rollout.ts';
import { createModules } from '../src/modules.ts';

const llama: DecoderConfig = {
  vocabulary: 11,
  width: 16,
  feedForward: 20,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 4,
  epsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'default' },
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  qkNorm: 'none',
  normsBehind: false,
  tiedHead: false,
};
const decoders: Readonly<Record<string, DecoderConfig>> = {
  'as Llama: grouped heads, own head': llama,
  'as Qwen2: biases on q, k and v, tied head': { ...llama, qkvBias: true, tiedHead: true },
  'as Qwen3: normed heads of another width': { ...llama, headDim: 6, qkNorm: 'rms' },
  'as Chameleon 30B: heads with norms of their own, norms behind': { ...llama, qkNorm: 'layer', normsBehind: true },
  'with everything': { ...llama, qkvBias: true, outputBias: true, mlpBias: true, qkNorm: 'rms', tiedHead: true },
};

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

const ids = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3],
];
const real = [
  [1, 1, 1, 1, 1],
  [0, 0, 1, 1, 1],
];
const positions = [
  [0, 1, 2, 3, 4],
  [0, 0, 0, 1, 2],
];

/** Scales of norms lie around 1, everything else around 0 with a spread that keeps activations near 1. */
function parameterValues(config: DecoderConfig): readonly RandomInput[] {
  return decoderParameters(config).map(({ name, shape }) =>
    name.includes('norm') ? { shape, low: 0.5, high: 1.5 } : { shape, low: -0.8, high: 0.8 },
  );
}

/** The largest error among all tensors of a decoder. */
async function worstError(
  config: DecoderConfig,
  options: CheckOptions & { joined?: boolean; checkpointing?: boolean },
): Promise<number> {
  const { joined = false, checkpointing = false } = options;
  const parameters = decoderParameters(config);
  const build = (...tensors: Tensor[]) => {
    const [first] = tensors;
    if (!first) throw new Error('a decoder has parameters');
    const { graph } = first.block;
    const named = new Map(parameters.map(({ name }, i) => [name, tensors[i] ?? first]));
    const modules = createModules(graph, (name) => named.get(name) ?? first, undefined, { joined });
    const int = (rows: number[][]) => constantData(graph, tensorData('int64', [2, 5], rows.flat()));
    // The checked dtypes are among those that a decoder computes in.
    const dtype = first.dtype === 'float64' ? 'float64' : 'float32';
    const decoder = createDecoder(modules, config, { positions: 5, dtype, checkpointing });
    const logits = sequenceLogits(decoder, { ids: int(ids), positions: int(positions), real: int(real) });
    // What comes out at padding is to be ignored, and so is its gradient.
    const tokens = real.flat().flatMap((flag, i) => (flag ? [i] : []));
    return gather(logits, constantData(graph, tensorData('int64', [tokens.length], tokens)));
  };
  const errors = await checkGradients(build, parameterValues(config), { runtime, elements: 8, ...options });
  expect(errors).toHaveLength(parameters.length);
  return Math.max(...errors.map(({ error }) => error));
}

describe.each(Object.entries(decoders))('a decoder %s', (_, config) => {
  it('has right gradients in float64', async () => {
    expect(await worstError(config, { seed: 1, tolerance: 1e-6 })).toBeLessThan(1e-6);
  });

  it.each(['cpu', 'cuda', 'reference'] as const)('has them in float32 on the %s target too', async (target) => {
    expect(await worstError(config, { seed: 2, target, dtype: 'float32', tolerance: 1e-5 })).toBeLessThan(1e-5);
  });

  it.each([{ joined: true }, { checkpointing: true }])('has them in float64 built %o too', async (how) => {
    expect(await worstError(config, { seed: 3, tolerance: 1e-6, ...how })).toBeLessThan(1e-6);
  });
});
