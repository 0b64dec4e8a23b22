import { expect, it } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { silu } from '../ops/activations.ts';
import { mul } from '../ops/arithmetic.ts';
import { matmul } from '../ops/linear.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';

it('keeps double precision on every target, whatever ONNX Runtime would fuse', async () => {
  for (const target of ['cpu', 'reference'] as const) {
    const graph = createGraph({ target });
    const x = input(graph, 'x', { dtype: 'float64', shape: [2, 2] });
    output('silu', silu(x));
    output('scaled', mul(matmul(x, x), 0.1));
    const values = [0.3, -1.7, 2.9, 0.01];
    const { silu: y, scaled } = await runGraph(graph, { x: tensorData('float64', [2, 2], values) });
    if (!y || !scaled) throw new Error('an output is missing');
    expect(scaled.dtype).toBe('float64');
    for (const [i, value] of toNumbers(y).entries()) {
      const at = values[i] ?? Number.NaN;
      expect(Math.abs(value - at / (1 + Math.exp(-at)))).toBeLessThan(1e-14);
    }
    // 0.1 rounded to float32 would be off by 1.5e-9.
    expect(Math.abs((toNumbers(scaled)[0] ?? Number.NaN) - 0.1 * (0.3 * 0.3 - 1.7 * 2.9))).toBeLessThan(1e-14);
  }
});
