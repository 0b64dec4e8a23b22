/** The programs of a SigLIP-VQ tokenizer: pictures to codes, and codes to semantic latents. */
import { createModules, visionTransformer, type WeightSource } from '@gvu/models';
import {
  add,
  cast,
  compile,
  createGraph,
  type Graph,
  input,
  mul,
  output,
  type Program,
  reshape,
  type Target,
  type Tensor,
  transpose,
} from '@gvu/onnx';
import type { SiglipVqConfig } from './config.ts';
import { beforeQuantising, nearestCodes, semanticLatents } from './network.ts';

export interface CodecModel {
  readonly config: SiglipVqConfig;
  readonly source: (graph: Graph) => WeightSource;
  readonly target: Target;
}

/** `pixels` uint8 [1, H, W, 3] to `codes` int64 [1, H / patch, W / patch]. */
export function encodeProgram(model: CodecModel, { width, height }: { width: number; height: number }): Program {
  const { config, source, target } = model;
  const { patch } = config.vision;
  const graph = createGraph({ name: 'siglip-vq encode', target });
  const pixels = input(graph, 'pixels', { dtype: 'uint8', shape: [1, height, width, 3] });
  const modules = createModules(graph, source(graph));
  const features = visionTransformer(modules, normalised(pixels), config.vision);
  const codes = nearestCodes(modules, beforeQuantising(modules, features, config), config);
  output('codes', reshape(codes, [1, height / patch, width / patch]));
  return compile(graph);
}

/** `codes` int64 [1, h, w] in a graph, to what `build` makes of their semantic latents [1, width, h, w]. */
export function latentsOf(
  graph: Graph,
  { config, source }: CodecModel,
  grid: { rows: number; columns: number },
): Tensor {
  const codes = input(graph, 'codes', { dtype: 'int64', shape: [1, grid.rows, grid.columns] });
  return semanticLatents(createModules(graph, source(graph)), codes, config);
}

/** Bytes [B, H, W, 3] as the network wants them: [B, 3, H, W] from -1 to 1. */
function normalised(pixels: Tensor): Tensor {
  return transpose(add(mul(cast(pixels, 'float32'), 2 / 255), -1), [0, 3, 1, 2]);
}
