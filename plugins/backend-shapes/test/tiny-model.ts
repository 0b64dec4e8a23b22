/** A shapes model of a few thousand parameters with random values: for tests of how its parts fit together. */
import { compile, type Graph, type Runtime, type TensorData, weight } from '@gvu/onnx';
import { modelParameters, shapesConfig } from '../src/model/config.ts';
import type { WeightSource } from '../src/model/programs.ts';
import { modelOf } from '../src/model/weights.ts';
import { initialValues } from '../src/pretrain/initial.ts';

export const tinySizes = {
  tokenizer: { codes: 8, latent: 4, width: 8 },
  flow: { width: 8, blocks: 1, steps: 3 },
  backbone: { width: 16, feedForward: 24, layers: 2, heads: 2 },
};
export const tinyConfig = shapesConfig(tinySizes);

/**
 * All tensors, spread wide enough that every part matters; without the bias of decoded patches, which would make them so alike
 * that all have one code.
 */
export function tinyValues(seed = 1): Map<string, TensorData> {
  return new Map(
    [...initialValues(modelParameters(tinyConfig), seed)].map(([name, tensor]) => {
      const spread = name === 'flow.output.bias' ? 0 : 0.3;
      const data = tensor.data.map((value, i) =>
        name.includes('norm') ? value : value * 4 + spread * Math.sin(i + seed),
      );
      return [name, { ...tensor, data }];
    }),
  );
}

/** The same as a source of weights for graphs. */
export function tinyWeights(seed = 1): WeightSource {
  const values = tinyValues(seed);
  return (graph) => (name) => {
    const value = values.get(name);
    if (!value) throw new Error(`There is no '${name}'.`);
    return weight(graph, name, value);
  };
}

export function tinyModel(runtime: Runtime, seed = 1) {
  return modelOf(runtime, { config: tinyConfig, values: tinyValues(seed), name: `tiny ${seed}` });
}

/** One run of a graph. */
export async function runGraph(runtime: Runtime, graph: Graph, feeds: Record<string, TensorData> = {}) {
  await using session = await runtime.load(compile(graph));
  return await session.run<string>(feeds);
}
