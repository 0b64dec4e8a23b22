/** Runs a graph once in this thread, straight through onnxruntime-node: for tests of what graphs compute. The worker runtime has tests of its own. */
import ort from 'onnxruntime-node';
import { compile } from '../src/codec/encode.ts';
import type { DType } from '../src/dtype.ts';
import type { Graph } from '../src/graph/graph.ts';
import type { Program } from '../src/runtime/program.ts';
import { sessionOptions } from '../src/runtime/session-options.ts';
import type { TensorData } from '../src/tensor-data.ts';

export interface Loaded extends AsyncDisposable {
  run(feeds?: Record<string, TensorData>): Promise<Record<string, TensorData>>;
}

/** A graph loaded for repeated runs; release it when done. */
export function loadGraph(graph: Graph): Promise<Loaded> {
  return loadProgram(compile(graph));
}

/** A program as it is, whether or not it is sound. */
export async function loadProgram(program: Program): Promise<Loaded> {
  const options = sessionOptions({ use: 'inference', device: 'cpu', threads: 1 }, program);
  const session = await ort.InferenceSession.create(program.model, options);
  return {
    async run(feeds = {}) {
      const given = Object.fromEntries(
        Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
          name,
          new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
        ]),
      );
      const fetched = await session.run(given);
      return Object.fromEntries(
        Object.entries(fetched).map(([name, tensor]) => [
          name,
          { dtype: tensor.type as DType, shape: tensor.dims, data: tensor.data } as TensorData,
        ]),
      );
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

/** One run of a graph. */
export async function runGraph(
  graph: Graph,
  feeds: Record<string, TensorData> = {},
): Promise<Record<string, TensorData>> {
  await using loaded = await loadGraph(graph);
  return await loaded.run(feeds);
}
