/** A tiny decoder with weights from a seed, whose logits are far enough apart to be worth sampling from. */
import { fillNormal, randomStream } from '@gvu/core';
import { type Graph, sizeOf, type TensorData, tensorData, toNumbers, weight } from '@gvu/onnx';
import type { DecoderConfig } from '../src/decoder/config.ts';
import { type ComputeDType, createDecoder, type Decoder } from '../src/decoder/decoder.ts';
import { decoderParameters } from '../src/decoder/parameters.ts';
import { createModules } from '../src/modules.ts';

/** Grouped heads, biases and normed heads: what Llama, Qwen2 and Qwen3 have together. */
export const tinyConfig: DecoderConfig = {
  vocabulary: 29,
  width: 32,
  feedForward: 48,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  epsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'default' },
  qkvBias: true,
  outputBias: false,
  mlpBias: false,
  qkNorm: 'rms',
  normsBehind: false,
  tiedHead: false,
};

/** Every tensor of a decoder, by name: norms near one, the rest normal. */
export function randomWeights(config: DecoderConfig, seed: number): ReadonlyMap<string, TensorData> {
  return new Map(
    decoderParameters(config).map(({ name, shape }) => {
      const data = new Float32Array(sizeOf(shape));
      fillNormal(data, randomStream(seed, name).at());
      const [spread, centre] = name.includes('norm') ? [0.1, 1] : [shape.length > 1 ? 0.25 : 0.1, 0];
      return [name, { dtype: 'float32', shape, data: data.map((value) => centre + spread * value) }];
    }),
  );
}

export function randomDecoder(
  graph: Graph,
  weights: ReadonlyMap<string, TensorData>,
  {
    positions = 64,
    dtype = 'float32',
    config = tinyConfig,
  }: { positions?: number; dtype?: ComputeDType; config?: DecoderConfig } = {},
): Decoder {
  const modules = createModules(graph, (name) => {
    const tensor = weights.get(name);
    if (!tensor) throw new Error(`no weight ${name}`);
    return weight(graph, name, tensorData(dtype, tensor.shape, toNumbers(tensor)));
  });
  return createDecoder(modules, config, { positions, dtype });
}
