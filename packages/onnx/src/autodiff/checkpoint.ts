/**
 * Gradient checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): the inner values of a segment are
 * not kept for the backward pass, they are computed again there, from what enters the segment.
 *
 * ONNX Runtime would undo this in two ways, both prevented here and in `codec/order.ts`. It merges equal computations, so the
 * copies read their operands through a product with a 1 that is computed from the incoming gradient, which no optimiser can
 * know. And it starts whatever has its operands, so the same product holds the copies back until the gradient is there.
 */
import { dtypes, isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { emit, type Graph, isBlock, type Node, type Tensor } from '../graph/graph.ts';
import { isOpName, type OpAttributes, type OpName } from '../graph/specs.ts';
import { cast, greater, mul, or, sub, where } from '../ops/arithmetic.ts';
import { reshape, slice } from '../ops/movement.ts';
import { sizeOf } from '../tensor-data.ts';

/**
 * Marks what `build` appends as one segment: `gradients` will compute it again instead of keeping its inner values. Costs up to
 * one more forward pass of the segment; saves everything that its backward pass reads, except what the segment takes and
 * gives. Segments do not nest and hold no control flow (GVU_AUTODIFF_SEGMENT).
 */
export function checkpoint<T>(graph: Graph, build: () => T): T {
  const { cursor } = graph;
  if (cursor.segment !== undefined)
    throw onnxErrors.error(
      'GVU_AUTODIFF_SEGMENT',
      `A checkpointed segment begins inside another, at '${cursor.scope}'.`,
      {
        hint: 'Let one of the two go: inner segments would be computed a third time.',
      },
    );
  cursor.segment = cursor.segments++;
  try {
    return build();
  } finally {
    cursor.segment = undefined;
  }
}

/**
 * Computes a segment again as soon as `gradient`, which flows into its end, is there. Returns the copy of every tensor that the
 * segment's nodes made.
 */
export function recompute(graph: Graph, segment: number, gradient: Tensor): ReadonlyMap<Tensor, Tensor> {
  const copies = new Map<Tensor, Tensor>();
  const delay = delayUntil(gradient);
  for (const node of graph.main.nodes.filter((candidate) => candidate.segment === segment)) {
    const inputs = node.inputs.map((tensor) => tensor && (copies.get(tensor) ?? tensor));
    // A node that reads nothing of the segment is held back by the smallest of its operands.
    if (!node.inputs.some((tensor) => tensor && copies.has(tensor))) {
      const smallest = smallestOf(node.inputs.filter((tensor) => tensor !== undefined && !isFixed(tensor)));
      if (smallest) inputs[node.inputs.indexOf(smallest)] = delay(smallest);
      else if (!isControlFlow(node)) continue;
    }
    const outputs = copyNode(node, inputs, copies);
    for (const [i, tensor] of node.outputs.entries()) {
      const copy = outputs[i];
      if (copy) copies.set(tensor, copy);
    }
  }
  return copies;
}

/** Values that are there from the start and stay: computing on them alone is done once, whoever asks. */
function isFixed({ source }: Tensor): boolean {
  return source.kind === 'constant' || source.kind === 'weight';
}

function smallestOf(tensors: readonly (Tensor | undefined)[]): Tensor | undefined {
  return tensors.reduce(
    (least, tensor) => (tensor && (!least || sizeOf(tensor.shape) < sizeOf(least.shape)) ? tensor : least),
    undefined,
  );
}

function isControlFlow({ attributes }: Node): boolean {
  return Object.values(attributes).some(isBlock);
}

function copyNode(
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  copies: ReadonlyMap<Tensor, Tensor>,
): readonly Tensor[] {
  const { op, gradientTo, attributes, block } = node;
  if (!isOpName(op) || isControlFlow(node))
    throw onnxErrors.error(
      'GVU_AUTODIFF_SEGMENT',
      `'${node.name}' (${op}) is control flow in a checkpointed segment.`,
      { hint: 'Let the segment end before it.' },
    );
  return emit(block.graph, op, inputs, {
    // They are the attributes of this operator: they came from a node of it.
    attributes: attributes as OpAttributes[OpName],
    ...(gradientTo === undefined ? {} : { gradientTo: gradientTo && (copies.get(gradientTo) ?? gradientTo) }),
  });
}

/** Makes of a tensor the same values, which cannot be had before `gradient`; each tensor once. */
function delayUntil(gradient: Tensor): (tensor: Tensor) => Tensor {
  const delayed = new Map<Tensor, Tensor>();
  // False for every number, infinity and NaN, which only a run can tell.
  const never = () => {
    const first = slice(reshape(gradient, [-1]), 0, { end: 1 });
    const comparable = dtypes[gradient.dtype].bytes < 4 ? cast(first, 'float32') : first;
    return reshape(greater(comparable, Number.POSITIVE_INFINITY), []);
  };
  const same = (tensor: Tensor) => {
    if (isFloat(tensor.dtype)) return mul(tensor, sub(1, cast(never(), tensor.dtype)));
    return tensor.dtype === 'bool' ? or(tensor, never()) : where(never(), tensor, tensor);
  };
  return (tensor) => {
    if (sizeOf(gradient.shape) === 0) return tensor;
    const copy = delayed.get(tensor) ?? same(tensor);
    delayed.set(tensor, copy);
    return copy;
  };
}
