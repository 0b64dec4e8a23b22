/**
 * Muon: momentum whose matrices are replaced by the nearest orthogonal ones, so that every direction moves alike.
 *
 * Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the coefficients of its
 * Newton-Schulz iteration bring singular values to about one, not exactly. Matrices of one shape are iterated as one batch.
 */
import { add, div, matmul, mul, reshape, sqrt, sub, sum, type Tensor } from '@gvu/onnx';

export interface MuonState {
  /** Matrices [n, rows, columns]. */
  readonly parameters: Tensor;
  readonly gradient: Tensor;
  readonly momentum: Tensor;
  readonly learningRate: Tensor;
}

const decay = 0.95;
const iterations = 5;
const [a, b, c] = [3.4445, -4.775, 2.0315];

/** One update of matrices of one shape, with Nesterov's momentum. */
export function muon({ parameters, gradient, momentum, learningRate }: MuonState): {
  parameters: Tensor;
  momentum: Tensor;
} {
  const [, rows = 0, columns = 0] = parameters.shape;
  const next = add(mul(momentum, decay), gradient);
  const direction = orthogonal(add(gradient, mul(next, decay)));
  const scale = mul(learningRate, Math.sqrt(Math.max(1, rows / columns)));
  return { parameters: sub(parameters, mul(direction, scale)), momentum: next };
}

/** About the nearest (semi-)orthogonal matrix to each of x [n, rows, columns]. */
export function orthogonal(x: Tensor): Tensor {
  const [count = 0, rows = 0, columns = 0] = x.shape;
  const norm = add(sqrt(sum(mul(x, x), [1, 2], { keepDims: true })), 1e-7);
  let y = div(x, norm);
  for (let i = 0; i < iterations; i++) {
    // On the shorter side: y (y' y) or (y y') y.
    const isTall = rows > columns;
    const square = isTall ? matmul(y, y, { transA: true }) : matmul(y, y, { transB: true });
    const polynomial = add(mul(square, b), mul(matmul(square, square), c));
    y = add(mul(y, a), isTall ? matmul(y, polynomial) : matmul(polynomial, y));
  }
  return reshape(y, [count, rows, columns]);
}
