/**
 * The types that the table of operators infers are those that ONNX Runtime really computes: for random uses of every
 * operator, on every operator set, and also when lengths are hidden from the inference.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isGvuError } from '../../core/src/index.ts';
import { allocate } from '../src/dtype.ts';
import {
  constant,
  createGraph,
  DYNAMIC,
  emit,
  type Graph,
  input,
  output,
  type Target,
  type Tensor,
} from '../src/graph/graph.ts';
import { typeText } from '../src/graph/specs/spec.ts';
import { type OpName, specs } from '../src/graph/specs.ts';
import { sizeOf, type TensorData, tensorData } from '../src/tensor-data.ts';
import { type ControlFlow, type OperandCase, type OperatorCase, operatorCases } from './operator-cases.ts';
import { runGraph } from './run-graph.ts';

const seed = 20_231;
const names = Object.keys(operatorCases) as Exclude<OpName, ControlFlow>[];

/** Where an operator does not exist yet. */
const absent: Readonly<Partial<Record<Target, readonly OpName[]>>> = {
  cuda: ['Attention', 'Gelu'],
  reference: ['Attention', 'Gelu'],
};

function values({ dtype, shape, fill = (i) => (i % 5) - 2 }: OperandCase): TensorData {
  const count = sizeOf(shape);
  const unsigned = dtype === 'uint8' || dtype === 'bool';
  if (dtype === 'float16') return { dtype, shape, data: allocate('float16', count) };
  const list = Array.from({ length: count }, (_, i) => fill(i));
  return tensorData(dtype, shape, unsigned ? list.map((value) => (value > 0 ? 1 : 0)) : list);
}

/** Appends the operator to the graph; gives the outputs, and what to feed. `hide` says which lengths to declare as changing. */
function build(
  graph: Graph,
  op: OpName,
  { operands, attributes }: OperatorCase,
  options: { prefix: string; hide?: (operand: number, axis: number) => boolean },
): { outputs: readonly Tensor[]; feeds: Record<string, TensorData> } {
  const { prefix, hide = () => false } = options;
  const feeds: Record<string, TensorData> = {};
  const tensors = operands.map((operand, i) => {
    if (!operand) return undefined;
    if (operand.constant) return constant(graph, operand.dtype, operand.shape, operand.constant);
    const name = `${prefix}/${i}`;
    feeds[name] = values(operand);
    const shape = operand.shape.map((dim, axis) => (hide(i, axis) ? DYNAMIC : dim));
    return input(graph, name, { dtype: operand.dtype, shape });
  });
  const outputs = emit(graph, op, tensors, { attributes });
  for (const [i, tensor] of outputs.entries()) output(`${prefix}=${i}`, tensor);
  return { outputs, feeds };
}

function covers(declared: Tensor, real: TensorData): boolean {
  return (
    declared.dtype === real.dtype &&
    declared.shape.length === real.shape.length &&
    declared.shape.every((dim, axis) => dim === DYNAMIC || dim === real.shape[axis])
  );
}

describe.each<Target>(['cpu', 'cuda'])('for %s, ONNX Runtime gives what is inferred of', (target) => {
  test.each(names.filter((op) => !absent[target]?.includes(op)))('%s', async (op) => {
    await fc.assert(
      fc.asyncProperty(fc.array<OperatorCase>(operatorCases[op], { minLength: 1, maxLength: 8 }), async (cases) => {
        const graph = createGraph({ target });
        const built = cases.map((use, i) => build(graph, op, use, { prefix: `case_${i}` }));
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
          let built: ReturnType<typeof build>;
          try {
            built = build(graph, op, use, { prefix: 'x', hide });
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
