/**
 * How a network asks for its weights: by name, from wherever they come (a checkpoint, trainable inputs), with the adapter of
 * a module added where there is one. A network written on `Modules` can be read, trained or adapted without knowing it.
 */
import {
  add,
  concat,
  type Graph,
  gather,
  gemm,
  loraEmbedding,
  loraLinear,
  loraNames,
  split,
  type Tensor,
} from '@gvu/onnx';

export interface Modules {
  readonly graph: Graph;
  /** The tensor of this name; asking twice gives the same one. */
  readonly weight: (name: string, shape: readonly number[]) => Tensor;
  /** x [N, in] to [N, out] by `name.weight` [out, in], plus `name.bias`, plus an addend [N, out], plus the adapter. */
  readonly linear: (name: string, x: Tensor, options: { out: number; bias?: boolean; addend?: Tensor }) => Tensor;
  /** Several linear layers of one input: for each, what `linear` gives. */
  readonly linears: (
    layers: readonly { name: string; out: number }[],
    x: Tensor,
    options: { bias?: boolean },
  ) => readonly Tensor[];
  /** Rows of the table `name.weight` [rows, width] by id, plus the adapter: [.., width]. */
  readonly embedding: (name: string, ids: Tensor, options: { rows: number; width: number }) => Tensor;
}

/** A, B and scale of the adapted modules, by module name. */
export interface Adapter {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly scale: number;
}

interface ModulesOptions {
  /**
   * Computes linear layers of one input as one product of their joined weights: fewer, larger products, forward and backward.
   * Meant for weights that are trained; fixed ones would be copied out of their files to be joined.
   */
  readonly joined?: boolean;
}

export function createModules(
  graph: Graph,
  source: (name: string, shape: readonly number[]) => Tensor,
  adapter?: Adapter,
  options: ModulesOptions = {},
): Modules {
  const known = new Map<string, Tensor>();
  const weight = (name: string, shape: readonly number[]): Tensor => {
    const tensor = known.get(name) ?? source(name, shape);
    known.set(name, tensor);
    return tensor;
  };
  const adapterOf = (name: string, kind: 'linear' | 'embedding') => {
    const names = loraNames({ name, kind });
    const [a, b] = [adapter?.tensors.get(names.a), adapter?.tensors.get(names.b)];
    return adapter && a && b ? { a, b, scale: adapter.scale } : undefined;
  };
  const linear: Modules['linear'] = (name, x, { out, bias = false, addend }) => {
    const w = weight(`${name}.weight`, [out, x.shape.at(-1) ?? 0]);
    const b = bias ? weight(`${name}.bias`, [out]) : undefined;
    const product = gemm(x, w, { transB: true, addend: addend ?? b });
    const y = addend && b ? add(product, b) : product;
    const lora = adapterOf(name, 'linear');
    return lora ? loraLinear(x, y, lora) : y;
  };
  return {
    graph,
    weight,
    linear,
    linears(layers, x, { bias = false }) {
      if (!options.joined || adapter) return layers.map(({ name, out }) => linear(name, x, { out, bias }));
      const weights = layers.map(({ name, out }) => weight(`${name}.weight`, [out, x.shape.at(-1) ?? 0]));
      const biases = bias ? layers.map(({ name, out }) => weight(`${name}.bias`, [out])) : [];
      const addend = biases.length > 0 ? concat(biases, 0) : undefined;
      const product = gemm(x, concat(weights, 0), { transB: true, addend });
      return split(
        product,
        1,
        layers.map(({ out }) => out),
      );
    },
    embedding(name, ids, { rows, width }) {
      const y = gather(weight(`${name}.weight`, [rows, width]), ids);
      const lora = adapterOf(name, 'embedding');
      return lora ? loraEmbedding(ids, y, lora) : y;
    },
  };
}
