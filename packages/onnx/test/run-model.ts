/** Runs ONNX models of foreign make: as they are, and imported into a graph of ours. */
import { importModel } from '../src/codec/import-model.ts';
import { readModel } from '../src/codec/read-model.ts';
import { constantData, createGraph, type Graph, input, output, type Target } from '../src/graph/graph.ts';
import type { TensorData } from '../src/tensor-data.ts';
import { loadProgram, runGraph } from './run-graph.ts';

type Values = Record<string, TensorData>;

/** What ONNX Runtime makes of the model. */
export async function runModel(model: Uint8Array, feeds: Values): Promise<Values> {
  await using loaded = await loadProgram({ name: 'foreign', model, inputs: [], outputs: [] });
  return await loaded.run(feeds);
}

export interface Imported {
  readonly graph: Graph;
  readonly results: Values;
}

/** What it computes after import. Inputs that the model uses as sizes have to be `known` while the graph is built. */
export async function importAndRun(
  model: Uint8Array,
  feeds: Values,
  options: { target?: Target; folder?: string; known?: readonly string[] } = {},
): Promise<Imported> {
  const { target = 'cpu', folder, known = [] } = options;
  const graph = createGraph({ name: 'imported', target });
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, data]) => [
      name,
      known.includes(name) ? constantData(graph, data) : input(graph, name, data),
    ]),
  );
  const outputs = importModel(graph, model, folder === undefined ? { inputs } : { inputs, folder });
  for (const { name } of readModel(model).outputs) if (outputs[name]) output(name, outputs[name]);
  const fed = Object.fromEntries(Object.entries(feeds).filter(([name]) => !known.includes(name)));
  return { graph, results: await runGraph(graph, fed) };
}
