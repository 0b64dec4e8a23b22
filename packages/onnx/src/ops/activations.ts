/** Activations of neural networks, fused where the target has a kernel. The decomposed forms are their own twins in tests. */
import { emit, type Tensor } from '../graph/graph.ts';
import { add, mul, neg, sigmoid, softplus, tanh } from './arithmetic.ts';
import { erf } from './erf.ts';

/** x * sigmoid(x). */
export function silu(x: Tensor): Tensor {
  const { graph } = x.block;
  if (graph.target === 'reference' || x.dtype === 'float64') return mul(x, sigmoid(x));
  return emit(graph, 'QuickGelu', [x], { attributes: { alpha: { float: 1 } } })[0];
}

/** GELU: x times the normal distribution function, exact (by erf) or by the usual tanh approximation. */
export function gelu(x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor {
  const { graph } = x.block;
  if (graph.target === 'cpu' && x.dtype === 'float32')
    return emit(graph, 'Gelu', [x], { attributes: { approximate } })[0];
  if (approximate === 'none') return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

/** log(sigmoid(x)), without overflow. */
export function logSigmoid(x: Tensor): Tensor {
  return neg(softplus(neg(x)));
}
