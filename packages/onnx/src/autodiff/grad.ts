/**
 * Reverse-mode differentiation of a graph, into the same graph: the gradient of a scalar is more nodes. One table of
 * vector-Jacobian rules, lazy per operand, so that what nobody asks for (frozen weights) is never built.
 *
 * Not covered: control flow (`Loop`, `If`) and operators without a rule, which raise GVU_AUTODIFF_NO_RULE by name.
 */
import { isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { constant, type Node, scope, type Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import { isOpName, type OpName } from '../graph/specs.ts';
import { add } from '../ops/arithmetic.ts';
import { full } from '../ops/movement.ts';
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
 * upstream gradient when `of` is not a scalar. A tensor that `of` does not depend on gets zeros.
 */
export function gradients(of: Tensor, wrt: readonly Tensor[], options: { seed?: Tensor } = {}): readonly Tensor[] {
  const { graph } = of.block;
  const seed = options.seed ?? constant(graph, of.dtype, [], [1]);
  if (
    !isFloat(of.dtype) ||
    (options.seed === undefined && of.shape.length > 0) ||
    (options.seed && !sameShape(seed.shape, of.shape))
  )
    throw onnxErrors.error('GVU_AUTODIFF_TARGET', `Cannot differentiate ${typeText(of)} ('${of.name}').`, {
      hint: 'Differentiate a floating-point scalar, or give a seed of the same shape.',
    });
  for (const tensor of wrt)
    if (!isFloat(tensor.dtype))
      throw onnxErrors.error('GVU_AUTODIFF_TARGET', `'${tensor.name}' is ${tensor.dtype}: it has no gradient.`, {
        hint: 'Ask for gradients of floating-point tensors only.',
      });

  const path = nodesBetween(wrt, of);
  const totals = new Map<Tensor, Tensor>([[of, seed]]);
  return scope(graph, 'gradient', () => {
    for (const node of path.nodes.toReversed()) {
      const upstream = node.outputs.map((tensor) => totals.get(tensor));
      if (upstream.every((gradient) => gradient === undefined)) continue;
      for (const [operand, make] of operandGradients(node, upstream)) {
        if (!path.tensors.has(operand) || !make) continue;
        totals.set(operand, accumulate(operand, make, totals.get(operand)));
      }
    }
    return wrt.map((tensor) => totals.get(tensor) ?? full(graph, tensor, 0));
  });
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

function differentiableOperands(node: Node): readonly Tensor[] {
  if (node.gradientTo === null) return [];
  if (node.gradientTo) return [node.gradientTo];
  return node.inputs.filter((tensor) => tensor !== undefined);
}

function operandGradients(
  node: Node,
  upstream: readonly (Tensor | undefined)[],
): readonly (readonly [Tensor, OperandGradient])[] {
  if (node.gradientTo)
    return [[node.gradientTo, () => upstream[0] ?? full(node.block.graph, node.gradientTo ?? missing(node), 0)]];
  // Which attributes the node has follows from its operator, as the type of the table states; the lookup loses that link.
  const rule = isOpName(node.op) ? (gradientRules[node.op] as GradientRule<OpName> | undefined) : undefined;
  if (!rule)
    throw onnxErrors.error(
      'GVU_AUTODIFF_NO_RULE',
      `'${node.name}' stands in the way of a gradient and ${node.op} has no gradient rule.`,
      {
        hint: 'Put stopGradient around it, or add a rule to autodiff/rules.',
      },
    );
  const makers = rule(node as Node<OpName>, upstream);
  return node.inputs.flatMap((tensor, i) => (tensor ? [[tensor, makers[i]] as const] : []));
}

function accumulate(operand: Tensor, make: NonNullable<OperandGradient>, sum: Tensor | undefined): Tensor {
  const joins = sum !== undefined && make.length > 0;
  const gradient = joins ? make(sum) : make();
  if (!sameShape(gradient.shape, operand.shape) || gradient.dtype !== operand.dtype)
    throw onnxErrors.error(
      'GVU_AUTODIFF_RULE',
      `The gradient of '${operand.name}' came out as ${typeText(gradient)}, not ${typeText(operand)}.`,
      {
        hint: 'This is a fault of the operator’s gradient rule.',
      },
    );
  return sum === undefined || joins ? gradient : add(sum, gradient);
}

function missing(node: Node): never {
  throw onnxErrors.error('GVU_AUTODIFF_RULE', `'${node.name}' has no tensor to pass its gradient to.`);
}
