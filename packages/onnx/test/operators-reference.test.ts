/**
 * Makes `docs/reference/operators.md` from the tables, and from ONNX Runtime's answer to each operator in each dtype, and
 * compares it with the page. `npx vitest run packages/onnx/test/operators-reference --update` writes it.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gradientRules } from '../src/autodiff/rules.ts';
import { encode } from '../src/codec/encode.ts';
import { type DType, dtypes, isFloat } from '../src/dtype.ts';
import { constant, createGraph, emit, type Graph, input, output, type Target } from '../src/graph/graph.ts';
import { control } from '../src/graph/specs/control.ts';
import { elementwise } from '../src/graph/specs/elementwise.ts';
import { linear } from '../src/graph/specs/linear.ts';
import { movement } from '../src/graph/specs/movement.ts';
import { neural } from '../src/graph/specs/neural.ts';
import type { OpName } from '../src/graph/specs.ts';
import { cudaProblems } from '../src/lowering/kernels.ts';
import { cast } from '../src/ops/arithmetic.ts';
import type { TensorData } from '../src/tensor-data.ts';
import { type OperandCase, type OperatorCase, operatorCases, valuesOf } from './operator-cases.ts';
import { loadProgram } from './run-graph.ts';

const seed = 1;
const all = Object.keys(dtypes) as DType[];

interface Use {
  readonly graph: Graph;
  readonly feeds: Record<string, TensorData>;
}

/** One use of the operator in which what it works on is of another dtype; undefined when it refuses that. */
function useOf(op: keyof typeof operatorCases, dtype: DType, target: Target): Use | undefined {
  const [use] = fc.sample(operatorCases[op] as fc.Arbitrary<OperatorCase>, { seed, numRuns: 1 });
  if (!use) return undefined;
  const graph = createGraph({ target });
  const feeds: Record<string, TensorData> = {};
  const main = mainDtype(op, use);
  const operands = use.operands.map((operand, i) => {
    if (!operand) return undefined;
    const changed = operand.dtype === main ? withDtype(operand, dtype) : operand;
    if (changed.constant) return constant(graph, changed.dtype, changed.shape, changed.constant);
    // bfloat16 cannot be fed.
    const fed = changed.dtype === 'bfloat16' ? withDtype(changed, 'float32') : changed;
    feeds[`x${i}`] = valuesOf(fed);
    return cast(input(graph, `x${i}`, { dtype: fed.dtype, shape: fed.shape }), changed.dtype);
  });
  try {
    for (const [i, tensor] of emit(graph, op, operands, { attributes: use.attributes }).entries())
      output(`y${i}`, tensor.dtype === 'bfloat16' ? cast(tensor, 'float32') : tensor);
    return { graph, feeds };
  } catch {
    return undefined;
  }
}

/** What the operator works on: conditions and indices are beside it. */
function mainDtype(op: OpName, { operands }: OperatorCase): DType | undefined {
  return operands[op === 'Where' ? 1 : op === 'OneHot' ? 2 : 0]?.dtype;
}

function withDtype(operand: OperandCase, dtype: DType): OperandCase {
  if (!operand.constant || isFloat(dtype)) return { ...operand, dtype };
  return { ...operand, dtype, constant: operand.constant.map((value) => Math.abs(Math.trunc(value))) };
}

/** Whether ONNX Runtime has kernels on the CPU for all that the graph holds. */
async function runs({ graph, feeds }: Use): Promise<boolean> {
  try {
    await using loaded = await loadProgram(encode(graph));
    await loaded.run(feeds);
    return true;
  } catch {
    return false;
  }
}

/** The dtypes in the order of the table, the usual groups by one name. */
function listed(supported: readonly DType[]): string {
  if (supported.length === all.length) return 'all';
  const names: Readonly<Record<DType, string>> = {
    float32: 'f32',
    float64: 'f64',
    float16: 'f16',
    bfloat16: 'bf16',
    int32: 'i32',
    int64: 'i64',
    uint8: 'u8',
    bool: 'bool',
  };
  const order: readonly DType[] = ['float32', 'float16', 'bfloat16', 'float64', 'int32', 'int64', 'uint8', 'bool'];
  return order.flatMap((dtype) => (supported.includes(dtype) ? [names[dtype]] : [])).join(' ') || '–';
}

async function supportedBy(op: OpName, target: 'cpu' | 'cuda'): Promise<string> {
  if (op === 'If' || op === 'Loop') return 'all';
  const supported: DType[] = [];
  for (const dtype of all) {
    const use = useOf(op, dtype, target);
    if (use && (target === 'cpu' ? await runs(use) : cudaProblems(use.graph).length === 0)) supported.push(dtype);
  }
  return listed(supported);
}

function gradientOf(op: OpName): string {
  const rule = gradientRules[op];
  if (!rule) return '–';
  // A rule that looks at nothing gives nothing.
  return rule.length === 0 ? 'zero' : 'yes';
}

const sections: readonly (readonly [string, object])[] = [
  ['Element by element', elementwise],
  ['Products, softmax, reductions', linear],
  ['Moving elements', movement],
  ['Neural networks', neural],
  ['Control flow', control],
];

async function page(): Promise<string> {
  const lines = [
    '# Operators',
    '',
    'Every operator that a graph may hold. The functions in `ops/` choose among them by target and dtype, so most code names none.',
    'This page is made from the tables by `packages/onnx/test/operators-reference.test.ts`; do not edit it.',
    '',
    '- **Gradient**: `yes`; `zero` where the operator is constant almost everywhere; `–` where asking for one is an error.',
    '- **CPU**: dtypes in which ONNX Runtime 1.30 runs the operator, in operator set 23 (f16 mostly by way of f32).',
    '- **CUDA**: dtypes that have a kernel in operator set 18; `–` where graphs for CUDA use other operators.',
    '- Operators marked ° are ONNX Runtime’s own.',
  ];
  for (const [title, table] of sections) {
    lines.push('', `## ${title}`, '', '| operator | gradient | CPU | CUDA |', '|---|---|---|---|');
    for (const [op, { domain }] of Object.entries(table)) {
      const name = op as OpName;
      const mark = domain !== '' || op === 'SimplifiedLayerNormalization' ? '°' : '';
      lines.push(
        `| ${op}${mark} | ${gradientOf(name)} | ${await supportedBy(name, 'cpu')} | ${await supportedBy(name, 'cuda')} |`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

test('the reference of operators is up to date', async () => {
  await expect(await page()).toMatchFileSnapshot('../../../docs/reference/operators.md');
});
