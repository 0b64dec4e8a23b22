/**
 * How a network asks for its weights: by name, from wherever they come (a checkpoint, trainable inputs), with the adapter of
 * a module added where there is one. A network written on `Modules` can be read, trained or adapted without knowing it.
 */
import { add, type Graph, gather, gemm, loraEmbedding, loraLinear, loraNames, type Tensor } from '@gvu/onnx';

export interface Modules {
  readonly graph: Graph;
  /** The tensor of this name; asking twice gives the same one. */
  readonly weight: (name: string, shape: readonly number[]) => Tensor;
  /** x [N, in] to [N, out] by `name.weight` [out, in], plus `name.bias`, plus an addend [N, out], plus the adapter. */
  readonly linear: (name: string, x: Tensor, options: { out: number; bias?: boolean; addend?: Tensor }) => Tensor;
  /** Rows of the table `name.weight` [rows, width] by id, plus the adapter: [.., width]. */
  readonly embedding: (name: string, ids: Tensor, options: { rows: number; width: number }) => Tensor;
}

/** A, B and scale of the adapted modules, by module name. */
export interface Adapter {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly scale: number;
}

export function createModules(
  graph: Graph,
  source: (name: string, shape: readonly number[]) => Tensor,
  adapter?: Adapter,
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
  return {
    graph,
    weight,
    linear(name, x, { out, bias = false, addend }) {
      const w = weight(`${name}.weight`, [out, x.shape.at(-1) ?? 0]);
      const b = bias ? weight(`${name}.bias`, [out]) : undefined;
      const product = gemm(x, w, { transB: true, addend: addend ?? b });
      const y = addend && b ? add(product, b) : product;
      const lora = adapterOf(name, 'linear');
      return lora ? loraLinear(x, y, lora) : y;
    },
    embedding(name, ids, { rows, width }) {
      const y = gather(weight(`${name}.weight`, [rows, width]), ids);
      const lora = adapterOf(name, 'embedding');
      return lora ? loraEmbedding(ids, y, lora) : y;
    },
  };
}
