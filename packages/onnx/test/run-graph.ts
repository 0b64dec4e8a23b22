/** Runs a graph once in this thread, straight through onnxruntime-node: for tests of what graphs compute. The worker runtime has tests of its own. */
import ort from 'onnxruntime-node';
import { compile } from '../src/codec/encode.ts';
import type { DType } from '../src/dtype.ts';
import type { Graph } from '../src/graph/graph.ts';
import type { TensorData } from '../src/tensor-data.ts';

/** A graph loaded for repeated runs; release it when done. */
export async function loadGraph(
  graph: Graph,
): Promise<AsyncDisposable & { run: (feeds?: Record<string, TensorData>) => Promise<Record<string, TensorData>> }> {
  const program = compile(graph);
  const session = await ort.InferenceSession.create(program.model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(program.externalFolder === undefined
      ? {}
      : { extra: { session: { model_external_initializers_file_folder_path: program.externalFolder } } }),
  });
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
