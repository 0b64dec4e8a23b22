/**
 * How long the values get that grow in loops: a graph says of a cache only that its length changes, but its first length is known, how
 * much an iteration adds follows from the body, and how often it runs is a constant as a rule. Only for counting memory.
 */
import { DYNAMIC, type Graph, isBlock, type Node, type Tensor } from '../graph/graph.ts';
import { constantValues } from '../graph/specs/spec.ts';
import { inferOutputs, isOpName } from '../graph/specs.ts';

export type Shape = readonly number[];

/** The shape of every value, that of the last iteration for those in loops. What only a run can tell stays DYNAMIC. */
export function finalShapes({ main, opset }: Pick<Graph, 'main' | 'opset'>): (tensor: Tensor) => Shape {
  const known = new Map<Tensor, Shape>();
  const shapeOf = (tensor: Tensor): Shape => known.get(tensor) ?? tensor.shape;
  const changes = (tensor: Tensor | undefined) => tensor?.shape.includes(DYNAMIC) === true;

  function follow(node: Node): void {
    for (const body of Object.values(node.attributes).filter(isBlock)) {
      if (node.op === 'Loop' && body.inputs.some(changes)) followLoop(node, body);
      else body.nodes.forEach(follow);
    }
    if (!node.outputs.some(changes) || node.op === 'Loop' || !isOpName(node.op)) return;
    const inputs = node.inputs.map((tensor) => tensor && { ...tensor, shape: shapeOf(tensor) });
    try {
      const { types } = inferOutputs(node.op, inputs, node.attributes, { name: node.name, opset });
      for (const [i, tensor] of node.outputs.entries()) known.set(tensor, types[i]?.shape ?? tensor.shape);
    } catch {
      // Lengths that were guessed wrong must not refuse a graph that is sound: they stay unknown.
    }
  }

  function followLoop({ inputs, outputs }: Node, body: Node['block']): void {
    const [count] = inputs;
    const [trips = 1] = (count && constantValues(count)) ?? [];
    const entering = body.inputs.slice(2);
    const first = inputs.slice(2).map((tensor) => (tensor ? shapeOf(tensor) : []));
    const enter = (shapes: readonly Shape[]): readonly Shape[] => {
      for (const [i, tensor] of entering.entries()) known.set(tensor, shapes[i] ?? tensor.shape);
      body.nodes.forEach(follow);
      return body.outputs.slice(1, entering.length + 1).map(({ tensor }) => shapeOf(tensor));
    };
    const second = enter(first);
    const after = (iterations: number) =>
      first.map((shape, i) =>
        shape.map((length, axis) => {
          const next = second[i]?.[axis] ?? length;
          return length < 0 || next < 0 ? DYNAMIC : length + iterations * (next - length);
        }),
      );
    enter(after(Math.max(0, trips - 1)));
    const last = after(trips);
    for (const [i, tensor] of outputs.entries()) {
      const shape = last[i];
      if (shape) known.set(tensor, shape);
    }
  }

  main.nodes.forEach(follow);
  return shapeOf;
}
