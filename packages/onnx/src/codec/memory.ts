/**
 * What a program will occupy while it runs, counted without running it: the values that are alive at the same time, node by node in the
 * order of execution. ONNX Runtime's arena rounds up and reuses, and its kernels need scratch space, so this is a floor that
 * real use exceeds by some tens of percent; it is good for comparing batch sizes and for seeing what cannot fit.
 */
import { dtypes } from '../dtype.ts';
import { DYNAMIC, type Graph, isBlock, type Node, type Tensor } from '../graph/graph.ts';
import type { ProgramMemory } from '../runtime/program.ts';
import { sizeOf } from '../tensor-data.ts';
import { liveNodes, liveSources } from './live.ts';

/** Operators whose output shares the memory of their input. */
const views = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Flatten']);

export function programMemory(graph: Graph): ProgramMemory {
  const live = liveNodes(graph.main);
  const nodes = graph.main.nodes.filter((node) => live.has(node));
  // When a value is read for the last time, through the views of it too.
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    for (const tensor of readsOf(node)) lastUse.set(rootOf(tensor), i);
  });
  for (const { tensor } of graph.main.outputs) lastUse.set(rootOf(tensor), nodes.length);

  let [alive, peak] = [0, 0];
  const sources = [...liveSources(graph.main, live)];
  for (const tensor of sources) if (tensor.source.kind === 'input') alive += bytesOf(tensor);
  const weightBytes = sources.reduce(
    (sum, tensor) => (tensor.source.kind === 'input' ? sum : sum + bytesOf(tensor)),
    0,
  );
  const dying = new Map<number, number>();
  nodes.forEach((node, i) => {
    if (!views.has(node.op)) {
      for (const tensor of node.outputs) {
        const bytes = bytesOf(tensor);
        const end = lastUse.get(tensor) ?? i;
        alive += bytes;
        dying.set(end, (dying.get(end) ?? 0) + bytes);
      }
    }
    peak = Math.max(peak, alive + innerBytes(node));
    alive -= dying.get(i) ?? 0;
  });
  return { weightBytes, activationBytes: Math.max(peak, alive) };
}

function rootOf(tensor: Tensor): Tensor {
  let root = tensor;
  while (root.source.kind === 'node' && views.has(root.source.node.op)) {
    const [input] = root.source.node.inputs;
    if (!input) break;
    root = input;
  }
  return root;
}

/** Values inside the bodies of control flow, all of one iteration together. */
function innerBytes(node: Node): number {
  return Object.values(node.attributes)
    .filter(isBlock)
    .reduce(
      (sum, body) =>
        sum +
        body.nodes.reduce(
          (all, inner) => all + innerBytes(inner) + inner.outputs.reduce((bytes, tensor) => bytes + bytesOf(tensor), 0),
          0,
        ),
      0,
    );
}

function readsOf(node: Node): readonly Tensor[] {
  const bodies = Object.values(node.attributes).filter(isBlock);
  return [
    ...node.inputs.filter((tensor) => tensor !== undefined),
    ...bodies.flatMap((body) => [...body.nodes.flatMap(readsOf), ...body.outputs.map(({ tensor }) => tensor)]),
  ];
}

function bytesOf({ dtype, shape }: Tensor): number {
  return sizeOf(shape.map((dim) => (dim === DYNAMIC ? 1 : dim))) * dtypes[dtype].bytes;
}
