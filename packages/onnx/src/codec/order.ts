/**
 * The order in which nodes are written, so that ONNX Runtime executes them when they are needed and not as soon as they can be.
 *
 * The runtime (1.30, sequential execution) does not keep the order of the file. It walks depth-first from the nodes that nobody
 * reads, taking of these, and of the operands of each node, the one that stands last in the file first, and executes on the way
 * back. In building order, the weight gradients (which nobody reads) thus come after the whole backward pass, and hold every
 * activation and every intermediate gradient until then. Written so that of two nodes which do not depend on each other the
 * one built first stands last, the walk meets them in the order of building.
 */
import { isBlock, type Node, type Tensor } from '../graph/graph.ts';

/** The same nodes, each after those it reads, and apart from that in reverse. */
export function executionOrder(nodes: readonly Node[]): readonly Node[] {
  const place = new Map(nodes.map((node, i) => [node, i]));
  const makers = nodes.map((node) => {
    const indices = readsOf(node).map(({ source }) => (source.kind === 'node' ? place.get(source.node) : undefined));
    return new Set(indices.filter((index) => index !== undefined));
  });
  const readers = new Array<number>(nodes.length).fill(0);
  for (const indices of makers) for (const index of indices) readers[index] = (readers[index] ?? 0) + 1;

  // Filled from the end: of the nodes whose readers all have their place, the one that was built first. `ready` descends.
  const ready = [...nodes.keys()].filter((index) => readers[index] === 0).reverse();
  const order: Node[] = [];
  for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
    const node = nodes[index];
    if (node) order.push(node);
    for (const maker of makers[index] ?? []) {
      const left = (readers[maker] ?? 0) - 1;
      readers[maker] = left;
      if (left === 0) ready.splice(ready.findLastIndex((other) => other > maker) + 1, 0, maker);
    }
  }
  return order.reverse();
}

/** The outputs, of which each gets a node behind all others: the one that can be given first stands last. */
export function outputOrder<Output extends { readonly tensor: Tensor }>(
  outputs: readonly Output[],
  nodes: readonly Node[],
): readonly Output[] {
  const place = new Map(nodes.flatMap((node, i) => node.outputs.map((tensor) => [tensor, i] as const)));
  const placeOf = ({ tensor }: Output) => place.get(tensor) ?? -1;
  return outputs.toSorted((a, b) => placeOf(b) - placeOf(a));
}

/** The operands of a node, and what the bodies of control flow read from outside (or inside) themselves. */
function readsOf(node: Node): readonly Tensor[] {
  const bodies = Object.values(node.attributes).filter(isBlock);
  return [
    ...node.inputs.filter((tensor) => tensor !== undefined),
    ...bodies.flatMap((body) => [...body.nodes.flatMap(readsOf), ...body.outputs.map(({ tensor }) => tensor)]),
  ];
}
