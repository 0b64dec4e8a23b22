/** Control flow. A loop is how generation runs as one program; bodies see the values around them without copying weights. */
import { onnxErrors } from '../errors.ts';
import {
  blockInput,
  blockOutput,
  buildBlock,
  constant,
  DYNAMIC,
  emit,
  type Graph,
  type Tensor,
} from '../graph/graph.ts';

/** A value handed from one iteration to the next; `grows` names an axis whose length changes. */
export interface Carried {
  readonly initial: Tensor;
  readonly grows?: number;
}

/**
 * Runs `body` `trips` times. The body gets the iteration number (int64 scalar) and the carried values, and returns the next
 * carried values and the values to keep; the loop gives the last carried values, and the kept ones stacked along a new first axis.
 */
export function loop(
  graph: Graph,
  options: { trips: number; carried: readonly Carried[]; name?: string },
  body: (iteration: Tensor, carried: readonly Tensor[]) => { carried: readonly Tensor[]; kept: readonly Tensor[] },
): { carried: readonly Tensor[]; kept: readonly Tensor[] } {
  const { trips, carried, name = 'loop' } = options;
  const block = buildBlock(graph, name, (inner) => {
    const iteration = blockInput(inner, 'iteration', { dtype: 'int64', shape: [] });
    const condition = blockInput(inner, 'condition', { dtype: 'bool', shape: [] });
    const values = carried.map(({ initial, grows }, i) =>
      blockInput(inner, `carried_${i}`, {
        dtype: initial.dtype,
        shape: grows === undefined ? initial.shape : initial.shape.with(grows, DYNAMIC),
      }),
    );
    const result = body(iteration, values);
    // One too few or too many would pass for a kept value, and silently so.
    if (result.carried.length !== carried.length)
      throw onnxErrors.error(
        'GVU_GRAPH_SHAPE',
        `The body of '${name}' gives ${result.carried.length} carried values for ${carried.length}.`,
        { hint: 'Give every carried value its next one, in the same order.' },
      );
    // ONNX wants every body output to be made in the body, which a value passed through unchanged is not.
    const own = (tensor: Tensor) =>
      tensor.block === inner && tensor.source.kind === 'node'
        ? tensor
        : emit(graph, 'Identity', [tensor], { attributes: {} })[0];
    blockOutput('condition', own(condition));
    for (const [i, tensor] of result.carried.entries()) blockOutput(`carried_${i}`, own(tensor));
    for (const [i, tensor] of result.kept.entries()) blockOutput(`kept_${i}`, own(tensor));
  });
  const inputs = [
    constant(graph, 'int64', [], [trips]),
    constant(graph, 'bool', [], [true]),
    ...carried.map(({ initial }) => initial),
  ];
  const outputs = emit(graph, 'Loop', inputs, { attributes: { body: block } });
  return { carried: outputs.slice(0, carried.length), kept: outputs.slice(carried.length) };
}

/** The values of `whenTrue` or of `whenFalse`; only the chosen branch is computed. A dimension in which they differ becomes DYNAMIC. */
export function branch(
  condition: Tensor,
  whenTrue: () => readonly Tensor[],
  whenFalse: () => readonly Tensor[],
): readonly Tensor[] {
  const { graph } = condition.block;
  const arm = (name: string, build: () => readonly Tensor[]) =>
    buildBlock(graph, name, () => {
      for (const [i, tensor] of build().entries())
        blockOutput(`value_${i}`, emit(graph, 'Identity', [tensor], { attributes: {} })[0]);
    });
  return emit(graph, 'If', [condition], {
    attributes: { then_branch: arm('then', whenTrue), else_branch: arm('else', whenFalse) },
  });
}
