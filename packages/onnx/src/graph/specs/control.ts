/** Control flow: `Loop` and `If`. Their bodies are blocks, kept as attributes. */
import { type Block, DYNAMIC, type Tensor, type TensorType } from '../graph.ts';
import { constantValues, sameShape, spec } from './spec.ts';

export const control = {
  /**
   * Operands: trip count, condition, then the carried values. The body takes iteration, condition and carried values, and
   * gives condition, carried values and scanned values; the loop gives the last carried values and the stacked scanned ones, of
   * which there are as many as trips unless the condition may end the loop before.
   * A shape that the body changes must be declared DYNAMIC at its input: ONNX Runtime would accept the lie and misread memory.
   */
  Loop: spec<{ body: Block }>([2, Number.POSITIVE_INFINITY], (node) => {
    const { body } = node.attributes;
    node.requireDtype(0, 'int64');
    node.requireDtype(1, 'bool');
    if (node.operand(0).shape.length > 0 || node.operand(1).shape.length > 0)
      node.refuse('the trip count and the condition must be scalars');
    const carried = node.inputs.slice(2);
    const [trips] = isUnbroken(body, node.operand(1)) ? (constantValues(node.operand(0)) ?? []) : [];
    if (body.inputs.length !== carried.length + 2 || body.outputs.length < carried.length + 1)
      node.refuse(
        `the body takes ${body.inputs.length} and gives ${body.outputs.length} values for ${carried.length} carried ones`,
      );
    const [iteration, entry] = body.inputs;
    if (iteration?.dtype !== 'int64' || entry?.dtype !== 'bool')
      node.refuseDtype('the body must take an int64 iteration and a bool condition');
    const types: TensorType[] = [];
    for (const [i, { tensor }] of body.outputs.entries()) {
      if (i === 0) {
        if (tensor.dtype !== 'bool' || tensor.shape.length > 0)
          node.refuseDtype('the condition that the body gives must be a bool scalar');
        continue;
      }
      const entering = body.inputs[i + 1];
      if (i <= carried.length && entering) {
        const initial = node.operand(i + 1);
        if (tensor.dtype !== entering.dtype || initial.dtype !== entering.dtype)
          node.refuseDtype(`carried value ${i - 1} changes its dtype`);
        if (!fits(tensor.shape, entering.shape) || !fits(initial.shape, entering.shape))
          node.refuse(
            `carried value ${i - 1} enters the body as [${entering.shape.join(', ')}], starts as [${initial.shape.join(', ')}] and leaves as [${tensor.shape.join(', ')}]; declare the axis that grows`,
          );
        types.push({ dtype: tensor.dtype, shape: entering.shape });
      } else types.push({ dtype: tensor.dtype, shape: [trips ?? DYNAMIC, ...tensor.shape] });
    }
    return types;
  }),
  /** Operand: the condition. Both branches must give the same number of values, of the same types. */
  If: spec<{ then_branch: Block; else_branch: Block }>(1, (node) => {
    node.requireDtype(0, 'bool');
    if (node.operand(0).shape.length > 0) node.refuse('the condition must be a scalar');
    const { then_branch, else_branch } = node.attributes;
    if (then_branch.outputs.length !== else_branch.outputs.length)
      node.refuse('the branches give different numbers of values');
    return then_branch.outputs.map(({ tensor: a }, i) => {
      const b = else_branch.outputs[i]?.tensor ?? node.refuse('the branches give different numbers of values');
      if (a.dtype !== b.dtype) node.refuseDtype(`the branches give different dtypes for value ${i}`);
      if (a.shape.length !== b.shape.length) node.refuse(`the branches give different ranks for value ${i}`);
      return { dtype: a.dtype, shape: a.shape.map((dim, axis) => (dim === b.shape[axis] ? dim : DYNAMIC)) };
    });
  }),
};

/** Whether a loop runs through all of its trips: its condition is true at first and handed on as it is. */
function isUnbroken(body: Block, condition: Tensor): boolean {
  let tensor = body.outputs[0]?.tensor;
  while (tensor?.source.kind === 'node' && tensor.source.node.op === 'Identity') tensor = tensor.source.node.inputs[0];
  const isHandedOn = tensor === body.inputs[1] || (tensor && constantValues(tensor)?.[0] === 1);
  return isHandedOn === true && constantValues(condition)?.[0] === 1;
}

/** Whether a value of this shape may enter where `declared` stands. */
function fits(shape: readonly number[], declared: readonly number[]): boolean {
  return sameShape(
    shape.map((dim, i) => (declared[i] === DYNAMIC ? DYNAMIC : dim)),
    declared,
  );
}
