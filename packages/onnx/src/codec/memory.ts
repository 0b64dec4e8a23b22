/**
 * What a program will occupy while it runs, counted without running it: the values that are alive at the same time, node by node in the
 * order of execution, in loops those of the last iteration. ONNX Runtime's arena rounds up and reuses, and its kernels need scratch
 * space, so this is a floor that real use exceeds by some tens of percent; it is good for comparing batch sizes and for seeing what
 * cannot fit.
 *
 * What is computed from weights and constants alone, such as casts of bfloat16 files, is computed once, when a program is loaded: it
 * counts as a weight, in place of what it is computed from.
 */
import { dtypes } from '../dtype.ts';
import { type Block, DYNAMIC, type Graph, isBlock, type Node, type Tensor } from '../graph/graph.ts';
import type { ProgramMemory } from '../runtime/program.ts';
import { sizeOf } from '../tensor-data.ts';
import { liveNodes } from './live.ts';
import { finalShapes, type Shape } from './loop-lengths.ts';

/** Operators whose output shares the memory of their input. */
const views = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Flatten']);

interface Counting {
  readonly live: ReadonlySet<Node>;
  /** Nodes that are computed when the program is loaded. */
  readonly folded: ReadonlySet<Node>;
  readonly shapeOf: (tensor: Tensor) => Shape;
}

export function programMemory(graph: Graph): ProgramMemory {
  const live = liveNodes(graph.main);
  const counting = { live, folded: foldedNodes(graph.main, live), shapeOf: finalShapes(graph) };
  const weights = fixedReads(graph.main, counting);
  const bytes = (tensors: readonly Tensor[]) => tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  return {
    weightBytes: bytes(weights),
    fileBytes: bytes(weights.filter(({ source }) => source.kind === 'weight' && 'file' in source.data)),
    activationBytes: peakOf(graph.main, counting),
  };
}

/** The most that a block's own values occupy at once. */
function peakOf(block: Block, counting: Counting): number {
  const { live, folded, shapeOf } = counting;
  const nodes = block.nodes.filter((node) => live.has(node) && !folded.has(node));
  // When a value is read for the last time, through the views of it too.
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    for (const tensor of readsOf(node)) lastUse.set(rootOf(tensor), i);
  });
  for (const { tensor } of block.outputs) lastUse.set(rootOf(tensor), nodes.length);

  const bytes = (tensor: Tensor) => bytesOf({ dtype: tensor.dtype, shape: shapeOf(tensor) });
  // Whoever feeds a program holds its inputs; a loop holds what entered an iteration until the next.
  let alive = block.inputs
    .filter((tensor) => block.parent !== undefined || lastUse.has(tensor))
    .reduce((sum, tensor) => sum + bytes(tensor), 0);
  let peak = alive;
  const dying = new Map<number, number>();
  nodes.forEach((node, i) => {
    // What leaves the last iteration is what the loop gives: it is there once.
    const inner = innerPeak(node, counting);
    peak = Math.max(peak, alive + inner);
    if (!views.has(node.op)) {
      for (const tensor of node.outputs) {
        const end = lastUse.get(tensor) ?? i;
        alive += bytes(tensor);
        dying.set(end, (dying.get(end) ?? 0) + bytes(tensor));
      }
    }
    peak = Math.max(peak, alive);
    alive -= dying.get(i) ?? 0;
  });
  return peak;
}

/** Of the bodies of control flow, of which one runs at a time. */
function innerPeak(node: Node, counting: Counting): number {
  const bodies = Object.values(node.attributes).filter(isBlock);
  return Math.max(0, ...bodies.map((body) => peakOf(body, counting)));
}

/** Nodes of the main block that depend on nothing that a run is fed. */
function foldedNodes(main: Block, live: ReadonlySet<Node>): ReadonlySet<Node> {
  const folded = new Set<Node>();
  for (const node of main.nodes) {
    const reads = readsOf(node);
    const fixed = reads.every(({ source }) =>
      source.kind === 'node' ? folded.has(source.node) : source.kind !== 'input',
    );
    if (live.has(node) && fixed && !Object.values(node.attributes).some(isBlock)) folded.add(node);
  }
  return folded;
}

/** Weights, constants and what is folded of them, as far as a run reads it. */
function fixedReads(main: Block, { live, folded }: Counting): readonly Tensor[] {
  const read = [
    ...main.nodes.filter((node) => live.has(node) && !folded.has(node)).flatMap(readsOf),
    ...main.outputs.map(({ tensor }) => tensor),
  ].map(rootOf);
  const isFixed = ({ source }: Tensor) =>
    source.kind === 'constant' || source.kind === 'weight' || (source.kind === 'node' && folded.has(source.node));
  return [...new Set(read.filter(isFixed))];
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

function readsOf(node: Node): readonly Tensor[] {
  const bodies = Object.values(node.attributes).filter(isBlock);
  return [
    ...node.inputs.filter((tensor) => tensor !== undefined),
    ...bodies.flatMap((body) => [...body.nodes.flatMap(readsOf), ...body.outputs.map(({ tensor }) => tensor)]),
  ];
}

function bytesOf({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): number {
  return sizeOf(shape.map((dim) => (dim === DYNAMIC ? 1 : dim))) * dtypes[dtype].bytes;
}
