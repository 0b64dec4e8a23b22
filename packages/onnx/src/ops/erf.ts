/**
 * The error function. ONNX Runtime 1.30 has no float64 kernel for it on the CPU (Erf-13), so there it is a quadrature: gradients are
 * checked in float64, production runs in float32.
 *
 * erf(x) = 2/sqrt(pi) x * (integral of exp(-(x t)²) over t from 0 to 1), by Gauss-Legendre quadrature. 24 points give 2e-15
 * up to |x| = 6, beyond which erf is ±1 in float64; being smooth in x, the sum has as exact a derivative.
 */
import { constant, emit, type Tensor } from '../graph/graph.ts';
import { clip, exp, mul, neg } from './arithmetic.ts';
import { sum } from './linear.ts';
import { unsqueeze } from './movement.ts';

const POINTS = 24;
const SATURATION = 6;

/** The error function, element by element. In float64 it takes 24 times the memory of x. */
export function erf(x: Tensor): Tensor {
  if (x.dtype === 'float64') return erfByQuadrature(x);
  return emit(x.block.graph, 'Erf', [x], { attributes: {} })[0];
}

function erfByQuadrature(x: Tensor): Tensor {
  const { graph } = x.block;
  const { nodes, weights } = gaussLegendre(POINTS);
  const limited = clip(x, -SATURATION, SATURATION);
  const scaled = mul(unsqueeze(limited, -1), constant(graph, x.dtype, [POINTS], nodes)); // [.., points]
  const integrand = mul(exp(neg(mul(scaled, scaled))), constant(graph, x.dtype, [POINTS], weights));
  return mul(mul(limited, sum(integrand, [-1])), 2 / Math.sqrt(Math.PI));
}

/** Nodes and weights of Gauss-Legendre quadrature on [0, 1]: roots of the Legendre polynomial by Newton's method. */
function gaussLegendre(count: number): { nodes: number[]; weights: number[] } {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < count; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let iteration = 0; iteration < 10; iteration++) {
      let [previous, value] = [1, x];
      for (let k = 2; k <= count; k++) [previous, value] = [value, ((2 * k - 1) * x * value - (k - 1) * previous) / k];
      slope = (count * (x * value - previous)) / (x * x - 1);
      x -= value / slope;
    }
    nodes.push((1 + x) / 2);
    weights.push(1 / ((1 - x * x) * slope * slope));
  }
  return { nodes, weights };
}
