/**
 * Random programs over a handful of matrices: each step applies one operator to tensors made before. Every operator is smooth and
 * keeps values within some tens, so that finite differences are worth nine digits.
 */
import fc from 'fast-check';
import { constant, type Tensor } from '../src/graph/graph.ts';
import * as activations from '../src/ops/activations.ts';
import * as ops from '../src/ops/arithmetic.ts';
import * as linear from '../src/ops/linear.ts';
import * as losses from '../src/ops/losses.ts';
import * as movement from '../src/ops/movement.ts';
import * as norms from '../src/ops/norms.ts';

/** All tensors are [ROWS, COLUMNS] or broadcast to it. */
const [ROWS, COLUMNS] = [3, 4];
export const expressionInputs = [
  { shape: [ROWS, COLUMNS] },
  { shape: [1, COLUMNS] },
  { shape: [ROWS, 1] },
  { shape: [] },
];

export interface ExpressionStep {
  readonly operator: number;
  /** Which of the tensors made so far. */
  readonly left: number;
  readonly right: number;
  /** Chooses an axis, a position or a mask. */
  readonly choice: number;
}

type Operator = (a: Tensor, b: Tensor, choice: number) => Tensor;
const whole = (x: Tensor) => movement.expand(x, [ROWS, COLUMNS]);
const bounded = (x: Tensor) => ops.mul(ops.tanh(x), 2);
const axisOf = (choice: number) => (choice % 2 === 0 ? 0 : -1);

const operators: Readonly<Record<string, Operator>> = {
  add: ops.add,
  sub: ops.sub,
  mul: (a, b) => ops.mul(bounded(a), b),
  div: (a, b) => ops.div(a, ops.add(ops.softplus(b), 0.5)),
  pow: (a, b) => ops.pow(ops.add(ops.sigmoid(a), 0.2), bounded(b)),
  exp: (a) => ops.exp(bounded(a)),
  log: (a) => ops.log(ops.add(ops.mul(a, a), 0.3)),
  sqrt: (a) => ops.sqrt(ops.add(ops.square(a), 0.3)),
  sin: ops.sin,
  silu: activations.silu,
  gelu: (a, _b, choice) => activations.gelu(a, choice % 2 === 0 ? 'none' : 'tanh'),
  product: (a, b) => linear.matmul(linear.matmul(whole(bounded(a)), whole(b), { transB: true, alpha: 0.3 }), whole(a)),
  gemm: (a, b) =>
    linear.gemm(linear.gemm(whole(bounded(a)), whole(b), { transB: true }), whole(a), { alpha: 0.2, addend: b }),
  softmax: (a, _b, choice) => linear.softmax(whole(a), axisOf(choice)),
  logSoftmax: (a, _b, choice) => linear.logSoftmax(whole(a), axisOf(choice)),
  mean: (a, _b, choice) => linear.mean(whole(a), [axisOf(choice)], { keepDims: true }),
  sum: (a, _b, choice) => linear.sum(bounded(whole(a)), [axisOf(choice)], { keepDims: true }),
  cumsum: (a, _b, choice) => linear.cumsum(bounded(whole(a)), axisOf(choice), { exclusive: choice % 3 === 0 }),
  tokenLogProb: (a, _b, choice) =>
    movement.unsqueeze(losses.tokenLogProb(whole(a), indices(a, ROWS, choice, COLUMNS)), -1),
  entropy: (a) => movement.unsqueeze(losses.entropy(whole(a)), -1),
  divergence: (a, b) => movement.unsqueeze(losses.klDivergence(whole(a), whole(b)), -1),
  rmsNorm: (a, b) => ops.mul(norms.rmsNorm(whole(a), undefined, 0.1), b),
  layerNorm: (a, b) => ops.add(norms.layerNorm(whole(a), { epsilon: 0.1 }), b),
  rows: (a, _b, choice) => movement.gather(whole(a), indices(a, ROWS, choice, ROWS), 0),
  columns: (a, _b, choice) => movement.gather(whole(a), indices(a, COLUMNS, choice, COLUMNS), 1),
  flip: (a, _b, choice) => movement.flip(whole(a), axisOf(choice)),
  turn: (a) => movement.transpose(movement.reshape(movement.transpose(whole(a), [1, 0]), [ROWS, COLUMNS]), [0, 1]),
  cut: (a, b, choice) => {
    const at = 1 + (choice % (COLUMNS - 1));
    return movement.concat([movement.slice(whole(a), 1, { end: at }), movement.slice(whole(b), 1, { start: at })], 1);
  },
  swap: (a) => {
    const [first, second = first] = movement.split(whole(a), 1, [1, COLUMNS - 1]);
    return movement.concat([second, first], -1);
  },
  where: (a, b, choice) => ops.where(mask(a, choice), a, b),
};

const names = Object.keys(operators);

export const expressionSteps: fc.Arbitrary<readonly ExpressionStep[]> = fc.array(
  fc.record({
    operator: fc.nat({ max: names.length - 1 }),
    left: fc.nat({ max: 15 }),
    right: fc.nat({ max: 15 }),
    choice: fc.nat({ max: 11 }),
  }),
  { minLength: 1, maxLength: 10 },
);

/** The last tensor of the program, together with all others in a small part, so that every step counts. */
export function buildExpression(steps: readonly ExpressionStep[], inputs: readonly Tensor[]): Tensor {
  const made = [...inputs];
  const take = (index: number) => made[index % made.length] ?? missing();
  for (const { operator, left, right, choice } of steps) {
    const apply = operators[names[operator] ?? ''] ?? missing();
    made.push(apply(take(left), take(right), choice));
  }
  return made.reduce((total, x) => ops.add(ops.mul(total, 0.9), ops.mul(x, 0.1)));
}

/** How a program reads, for the report of a failing one. */
export function expressionText(steps: readonly ExpressionStep[]): string {
  return steps
    .map(({ operator, left, right, choice }) => `${names[operator]}(${left}, ${right}, ${choice})`)
    .join('; ');
}

function indices(like: Tensor, count: number, choice: number, limit: number): Tensor {
  const values = Array.from({ length: count }, (_, i) => ((i + 1) * (choice + 1)) % limit);
  return constant(like.block.graph, 'int64', [count], values);
}

function mask(like: Tensor, choice: number): Tensor {
  const values = Array.from({ length: ROWS * COLUMNS }, (_, i) => (i * (choice + 3)) % 5 < 2);
  return constant(like.block.graph, 'bool', [ROWS, COLUMNS], values);
}

function missing(): never {
  throw new Error('A step that is out of range.');
}
