/**
 * Reverse-mode differentiation of a graph, into the same graph: the gradient of a scalar is more nodes. One table of
 * vector-Jacobian rules, lazy per operand, so that what nobody asks for (frozen weights) is never built.
 *
 * Not covered: control flow (`Loop`, `If`) and operators without a rule, which raise GVU_AUTODIFF_NO_RULE by name.
 */
import { isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { constant, isBlock, type Node, scope, type Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import { isOpName, type OpName } from '../graph/specs.ts';
import { add } from '../ops/arithmetic.ts';
import { full } from '../ops/movement.ts';
import { recompute } from './checkpoint.ts';
import { gradientRules } from './rules.ts';

/**
 * Makes the gradient with respect to one operand. `sum`, when given, is the gradient gathered so far for the same tensor:
 * a rule that can add to it in place of a later Add (Gemm) returns the new total and says so by taking the argument.
 */
export type OperandGradient = ((sum?: Tensor) => Tensor) | undefined;

/** The vector-Jacobian product of an operator: from the gradients of its outputs (absent = zero), one maker per operand. */
export type GradientRule<Op extends OpName> = (
  node: Node<Op>,
  gradients: readonly (Tensor | undefined)[],
) => readonly OperandGradient[];

export type GradientRules = { readonly [Op in OpName]?: GradientRule<Op> };

/**
 * The gradients of the sum of `of` (usually a scalar loss) with respect to tensors of the same graph, in their order. `seed` is the
 * upstream gradient when `of` is not a scalar. A tensor that `of` does not depend on gets zeros. Throws GVU_AUTODIFF_TARGET
 * for what cannot be differentiated, GVU_AUTODIFF_NO_RULE for an operator in the way that has no rule.
 */
export function gradients(of: Tensor, wrt: readonly Tensor[], options: { seed?: Tensor } = {}): readonly Tensor[] {
  const { graph } = of.block;
  const seed = options.seed ?? constant(graph, of.dtype, [], [1]);
  checkTargets(of, wrt, seed);
  const path = nodesBetween(wrt, of);
  const totals = new Map<Tensor, Tensor>([[of, seed]]);
  const segments = new Map<number, ReadonlyMap<Tensor, Tensor>>();
  return scope(graph, 'gradient', () => {
    for (const node of path.nodes.toReversed()) {
      const upstream = node.outputs.map((tensor) => totals.get(tensor));
      const arriving = upstream.find((gradient) => gradient !== undefined);
      if (!arriving) continue;
      scope(graph, node.name, () => {
        for (const [operand, make] of operandGradients(recomputed(node, arriving, segments), upstream, node)) {
          if (!path.tensors.has(operand) || !make) continue;
          totals.set(operand, accumulate(operand, make, totals.get(operand)));
        }
      });
    }
    return wrt.map((tensor) => totals.get(tensor) ?? full(graph, tensor, 0));
  });
}

function checkTargets(of: Tensor, wrt: readonly Tensor[], seed: Tensor): void {
  const { graph } = of.block;
  const refuse = (problem: string, hint: string) => onnxErrors.error('GVU_AUTODIFF_TARGET', problem, { hint });
  if (!isFloat(of.dtype) || !sameShape(seed.shape, of.shape) || seed.dtype !== of.dtype)
    throw refuse(
      `Cannot differentiate ${typeText(of)} ('${of.name}') with the seed ${typeText(seed)}.`,
      'Differentiate a floating-point scalar, or give a seed of the same type.',
    );
  if (of.block !== graph.main || graph.cursor.block !== graph.main || graph.cursor.segment !== undefined)
    throw refuse(
      `'${of.name}' cannot be differentiated inside a loop, a branch or a checkpointed segment.`,
      'Ask for gradients in the main block of the graph.',
    );
  for (const tensor of wrt) {
    if (!isFloat(tensor.dtype))
      throw refuse(
        `'${tensor.name}' is ${tensor.dtype}: it has no gradient.`,
        'Ask for gradients of floating-point tensors only.',
      );
    if (tensor.block !== graph.main)
      throw refuse(
        `'${tensor.name}' is no tensor of the main block of '${graph.name}'.`,
        'Ask for tensors of that block.',
      );
  }
}

/** The nodes through which `of` depends on `wrt`, in execution order, and the tensors along the way. */
function nodesBetween(wrt: readonly Tensor[], of: Tensor): { nodes: readonly Node[]; tensors: ReadonlySet<Tensor> } {
  const tensors = new Set(wrt);
  const nodes: Node[] = [];
  for (const node of of.block.graph.main.nodes) {
    if (!differentiableOperands(node).some((tensor) => tensors.has(tensor))) continue;
    nodes.push(node);
    for (const tensor of node.outputs) if (isFloat(tensor.dtype)) tensors.add(tensor);
  }
  return { nodes, tensors };
}

/** What a gradient may flow to: the operands, and for control flow also what its bodies read from outside. */
function differentiableOperands(node: Node): readonly Tensor[] {
  if (node.gradientTo === null) return [];
  if (node.gradientTo) return [node.gradientTo];
  const bodies = Object.values(node.attributes).filter(isBlock);
  return [
    ...node.inputs.filter((tensor) => tensor !== undefined),
    ...bodies.flatMap((body) => body.nodes.flatMap(differentiableOperands)),
  ];
}

/** The node itself; in a checkpointed segment its copy, which is made when the first gradient arrives at the segment. */
function recomputed(node: Node, arriving: Tensor, segments: Map<number, ReadonlyMap<Tensor, Tensor>>): Node {
  const { segment } = node;
  if (segment === undefined) return node;
  const copies = segments.get(segment) ?? recompute(node.block.graph, segment, arriving);
  segments.set(segment, copies);
  const [output] = node.outputs;
  const copy = output && copies.get(output)?.source;
  return copy?.kind === 'node' ? copy.node : node;
}

/** Makers of the gradients of the operands of `node`; the rule reads the values of `source`, which is the node or its copy. */
function operandGradients(
  source: Node,
  upstream: readonly (Tensor | undefined)[],
  node: Node,
): readonly (readonly [Tensor, OperandGradient])[] {
  const [first] = upstream;
  if (node.gradientTo) return [[node.gradientTo, first && (() => first)]];
  // Which attributes the node has follows from its operator, as the type of the table states; the lookup loses that link.
  const rule = isOpName(node.op) ? (gradientRules[node.op] as GradientRule<OpName> | undefined) : undefined;
  if (!rule)
    throw onnxErrors.error(
      'GVU_AUTODIFF_NO_RULE',
      `'${node.name}' stands in the way of a gradient and ${node.op} has no gradient rule.`,
      { hint: 'Put stopGradient around it, or add a rule to autodiff/rules.' },
    );
  const makers = rule(source as Node<OpName>, upstream);
  return node.inputs.flatMap((tensor, i) => (tensor ? [[tensor, makers[i]] as const] : []));
}

function accumulate(operand: Tensor, make: NonNullable<OperandGradient>, sum: Tensor | undefined): Tensor {
  const joins = sum !== undefined && make.length > 0;
  const gradient = joins ? make(sum) : make();
  if (!sameShape(gradient.shape, operand.shape) || gradient.dtype !== operand.dtype)
    throw onnxErrors.error(
      'GVU_AUTODIFF_RULE',
      `The gradient of '${operand.name}' came out as ${typeText(gradient)}, not ${typeText(operand)}.`,
      { hint: 'This is a fault of the operator’s gradient rule.' },
    );
  return sum === undefined || joins ? gradient : add(sum, gradient);
}
