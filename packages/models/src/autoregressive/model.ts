/** An autoregressive model as programs are built of it: sizes, routes, and where its weights are. */
import {
  cast,
  flatSize,
  type Graph,
  input,
  type LoraModule,
  type LoraOptions,
  loraLayout,
  type Target,
  type Tensor,
  unflatten,
} from '@gvu/onnx';
import type { DecoderConfig } from '../decoder/config.ts';
import { type ComputeDType, createDecoder } from '../decoder/decoder.ts';
import { type Adapter, createModules } from '../modules.ts';
import type { RoutedDecoder, TokenRoutes } from './routes.ts';

/** Where a graph finds a model's tensors, by name. */
export type WeightSource = (name: string, shape: readonly number[]) => Tensor;

export interface AutoregressiveModel {
  readonly config: DecoderConfig;
  /** What the names of the decoder's layers begin with, such as `model.`. */
  readonly prefix: string;
  readonly routes: TokenRoutes;
  /** The modules that can carry an adapter, in the order of the model. */
  readonly modules: readonly LoraModule[];
  readonly weights: (graph: Graph) => WeightSource;
  readonly target: Target;
  readonly dtype: ComputeDType;
}

export interface RoutedOptions {
  /** The longest sequence, in tokens. */
  readonly positions: number;
  readonly adapter?: Adapter | undefined;
  readonly checkpointing?: boolean | undefined;
}

/** The model in a graph, which may hold it twice, with an adapter and without. */
export function routedDecoder(
  graph: Graph,
  model: AutoregressiveModel,
  { positions, adapter, checkpointing = false }: RoutedOptions,
): RoutedDecoder {
  const { prefix, dtype } = model;
  // An adapter is trained in float32 whatever the model computes in.
  const fitting = adapter && {
    ...adapter,
    tensors: new Map([...adapter.tensors].map(([name, tensor]) => [name, cast(tensor, dtype)])),
  };
  const modules = createModules(graph, model.weights(graph), fitting);
  return {
    decoder: createDecoder(modules, model.config, { positions, prefix, dtype, checkpointing }),
    routes: model.routes,
  };
}

/** Declares the input `adapter` [P] in the layout of `loraLayout`; undefined without options. */
export function adapterInput(
  graph: Graph,
  { modules }: Pick<AutoregressiveModel, 'modules'>,
  options: LoraOptions | undefined,
): Adapter | undefined {
  if (!options) return undefined;
  const layout = loraLayout(modules, options);
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  return { tensors: unflatten(flat, layout), scale: options.alpha / options.rank };
}

/** Weights that are declared once in a graph, however often they are asked for there: a graph may hold a model twice. */
export function oncePerGraph(weights: (graph: Graph) => WeightSource): (graph: Graph) => WeightSource {
  const sources = new WeakMap<Graph, WeightSource>();
  return (graph) => {
    const known = sources.get(graph);
    if (known) return known;
    const source = weights(graph);
    const tensors = new Map<string, Tensor>();
    const once: WeightSource = (name, shape) => {
      const tensor = tensors.get(name) ?? source(name, shape);
      tensors.set(name, tensor);
      return tensor;
    };
    sources.set(graph, once);
    return once;
  };
}
