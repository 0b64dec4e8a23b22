/** Which nodes a program needs: everything else that was built (such as gradients nobody asked for) is left out of the file. */
import { type Block, isBlock, type Node, type Tensor } from '../graph/graph.ts';

/** The nodes of the block, and of the bodies inside it, that its outputs depend on. */
export function liveNodes(main: Block): ReadonlySet<Node> {
  const tensors = new Set<Tensor>();
  const nodes = new Set<Node>();
  const visit = (block: Block): void => {
    for (const { tensor } of block.outputs) tensors.add(tensor);
    // Execution order reversed: when a node is reached, everything that uses it has been seen.
    for (const node of block.nodes.toReversed()) {
      if (!node.outputs.some((tensor) => tensors.has(tensor))) continue;
      nodes.add(node);
      for (const tensor of node.inputs) if (tensor) tensors.add(tensor);
      for (const attribute of Object.values(node.attributes)) if (isBlock(attribute)) visit(attribute);
    }
  };
  visit(main);
  return nodes;
}

/** The constants, weights and inputs that these nodes and outputs read, in the order they are first read. */
export function liveSources(main: Block, nodes: ReadonlySet<Node>): ReadonlySet<Tensor> {
  const sources = new Set<Tensor>();
  const visit = (block: Block): void => {
    const read = [
      ...block.nodes.filter((node) => nodes.has(node)).flatMap((node) => node.inputs),
      ...block.outputs.map(({ tensor }) => tensor),
    ];
    for (const tensor of read) if (tensor && tensor.source.kind !== 'node') sources.add(tensor);
    for (const node of block.nodes)
      if (nodes.has(node))
        for (const attribute of Object.values(node.attributes)) if (isBlock(attribute)) visit(attribute);
  };
  visit(main);
  return sources;
}
