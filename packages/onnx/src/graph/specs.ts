/** The one table of operators: every operator that a graph may hold, with the rule for the types of its outputs. */
import { onnxErrors } from '../errors.ts';
import type { Attributes, Tensor, TensorType } from './graph.ts';
import { control } from './specs/control.ts';
import { elementwise } from './specs/elementwise.ts';
import { linear } from './specs/linear.ts';
import { movement } from './specs/movement.ts';
import { neural } from './specs/neural.ts';
import { Inference, type OpSpec } from './specs/spec.ts';

export const specs = { ...elementwise, ...linear, ...movement, ...neural, ...control };

export type OpName = keyof typeof specs;

/** The attributes that each operator takes. */
export type OpAttributes = {
  readonly [Op in OpName]: (typeof specs)[Op] extends OpSpec<infer A> ? Readonly<A> : never;
};

export function isOpName(op: string): op is OpName {
  return Object.hasOwn(specs, op);
}

/** The types of a node's outputs. Throws GVU_GRAPH_SHAPE or GVU_GRAPH_DTYPE, naming the node and the types it got. */
export function inferOutputs(
  op: OpName,
  inputs: readonly (Tensor | undefined)[],
  attributes: object,
  context: { name: string; opset: number },
): { domain: string; types: readonly TensorType[] } {
  // The table's rules differ in their attributes; which one applies follows from `op`, as `OpAttributes` states.
  const { arity, infer, domain } = specs[op] as OpSpec<Attributes>;
  const node = new Inference({ op, inputs, attributes: attributes as Attributes, ...context });
  const [fewest, most] = arity;
  if (inputs.length < fewest || inputs.length > most)
    throw onnxErrors.error(
      'GVU_GRAPH_SHAPE',
      `'${context.name}' (${op}) takes ${fewest} to ${most} operands, not ${inputs.length}.`,
    );
  return { domain, types: infer(node) };
}
