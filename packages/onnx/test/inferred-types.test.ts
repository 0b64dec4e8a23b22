/**
 * The types that the table of operators infers are those that ONNX Runtime really computes: for random uses of every
 * operator, on every operator set, and also when lengths are hidden from the inference.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isGvuError } from '../../core/src/index.ts';
import { createGraph, DYNAMIC, type Target, type Tensor } from '../src/graph/graph.ts';
import { typeText } from '../src/graph/specs/spec.ts';
import { specs } from '../src/graph/specs.ts';
import type { TensorData } from '../src/tensor-data.ts';
import { buildCase, casesFor, type OperatorCase, operatorCases } from './operator-cases.ts';
import { runGraph } from './run-graph.ts';

const seed = 20_231;
const names = casesFor('cpu');

function covers(declared: Tensor, real: TensorData): boolean {
  return (
    declared.dtype === real.dtype &&
    declared.shape.length === real.shape.length &&
    declared.shape.every((dim, axis) => dim === DYNAMIC || dim === real.shape[axis])
  );
}

describe.each<Target>(['cpu', 'cuda'])('for %s, ONNX Runtime gives what is inferred of', (target) => {
  test.each(casesFor(target))('%s', async (op) => {
    await fc.assert(
      fc.asyncProperty(fc.array<OperatorCase>(operatorCases[op], { minLength: 1, maxLength: 8 }), async (cases) => {
        const graph = createGraph({ target });
        const built = cases.map((use, i) => buildCase(graph, op, use, { prefix: `case_${i}` }));
        const results = await runGraph(graph, Object.assign({}, ...built.map(({ feeds }) => feeds)));
        for (const [i, { outputs }] of built.entries())
          for (const [j, tensor] of outputs.entries())
            expect(typeText(tensor)).toBe(typeText(results[`case_${i}=${j}`] ?? { dtype: 'bool', shape: [-2] }));
      }),
      { seed, numRuns: 6 },
    );
  });
});

describe('with lengths hidden, the inferred type allows what ONNX Runtime gives of', () => {
  test.each(names)('%s', async (op) => {
    await fc.assert(
      fc.asyncProperty(
        operatorCases[op] as fc.Arbitrary<OperatorCase>,
        fc.infiniteStream(fc.boolean()),
        async (use, hidden) => {
          const graph = createGraph({ target: 'cpu' });
          const hide = () => hidden.next().value === true;
          let built: ReturnType<typeof buildCase>;
          try {
            built = buildCase(graph, op, use, { prefix: 'x', hide });
          } catch (error) {
            // Refused for what is hidden: that is safe.
            if (isGvuError(error, 'GVU_GRAPH_SHAPE')) return;
            throw error;
          }
          const results = await runGraph(graph, built.feeds);
          for (const [i, tensor] of built.outputs.entries()) {
            const real = results[`x=${i}`];
            expect(real && covers(tensor, real), `${typeText(tensor)} for ${real && typeText(real)}`).toBe(true);
          }
        },
      ),
      { seed, numRuns: 12 },
    );
  });
});

test('every operator has cases', () => {
  expect(new Set<string>([...names, 'Loop', 'If'])).toEqual(new Set(Object.keys(specs)));
});
