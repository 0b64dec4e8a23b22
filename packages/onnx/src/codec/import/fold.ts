/**
 * Operators on small constants, worked out while the graph is built. Exporters compute shapes by nodes (Shape, Gather,
 * Concat …); with concrete shapes all of that becomes constants, and constants is what Reshape and its like ask for. Only
 * operators whose results are exact, or rounded once, are here: a folded graph gives the same numbers.
 */
import { type DType, isFloat } from '../../dtype.ts';
import { constantData, type Graph, type Tensor, type TensorType } from '../../graph/graph.ts';
import { inferOutputs, type OpAttributes, type OpName } from '../../graph/specs.ts';
import { sizeOf, tensorData, toNumbers } from '../../tensor-data.ts';

/** Larger results stay nodes. */
const MAX_ELEMENTS = 4096;

type Element = number | bigint;
type Elements = readonly Element[];

interface Known {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** int64 as bigint, everything else as numbers. */
  readonly elements: Elements;
}

/** The elements of the only result; undefined when it is left to the graph. */
type Evaluator<Op extends OpName> = (
  operands: readonly Known[],
  attributes: OpAttributes[Op],
  type: TensorType,
) => Elements | undefined;

/** The results as constants, if all operands are constants and the operator is worked out here. */
export function fold<Op extends OpName>(
  graph: Graph,
  op: Op,
  inputs: readonly (Tensor | undefined)[],
  attributes: OpAttributes[Op],
): readonly Tensor[] | undefined {
  const evaluate = evaluators[op] as Evaluator<Op> | undefined;
  const operands = inputs.map(known);
  if (!evaluate || !operands.every((operand) => operand !== undefined)) return undefined;
  const [type] = inferOutputs(op, inputs, attributes, { name: op, opset: graph.opset }).types;
  if (!type || sizeOf(type.shape) > MAX_ELEMENTS) return undefined;
  const elements = evaluate(operands, attributes, type);
  return elements === undefined ? undefined : [constantData(graph, tensorData(type.dtype, type.shape, elements))];
}

function known(tensor: Tensor | undefined): Known | undefined {
  if (tensor?.source.kind !== 'constant' || sizeOf(tensor.shape) > MAX_ELEMENTS) return undefined;
  const { data } = tensor.source;
  return { shape: data.shape, dtype: data.dtype, elements: data.dtype === 'int64' ? [...data.data] : toNumbers(data) };
}

/** For each element of `shape`, the index of the element of `from` that broadcasting puts there. */
function broadcastIndices(from: readonly number[], shape: readonly number[]): readonly number[] {
  let indices = [0];
  let stride = 1;
  // From the last axis to the first: each repeats what is there so far for all of its positions.
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = from[axis - shape.length + from.length] ?? 1;
    const step = dim === 1 ? 0 : stride;
    const inner = indices;
    indices = Array.from({ length: shape[axis] ?? 0 }, (_, i) => inner.map((index) => index + i * step)).flat();
    stride *= dim;
  }
  return indices;
}

function spread({ elements, shape }: Known, type: TensorType): Elements {
  return broadcastIndices(shape, type.shape).map((index) => elements[index] ?? 0);
}

/** An element-wise operator; on int64 it computes with bigints, wrapped around as integers do. */
function elementwise<Op extends OpName>(
  onNumbers: (...operands: readonly number[]) => number | boolean,
  onBigints?: (...operands: readonly bigint[]) => bigint | boolean | undefined,
): Evaluator<Op> {
  return (operands, _, type) => {
    const columns = operands.map((operand) => spread(operand, type));
    const results: Element[] = [];
    for (let i = 0; i < sizeOf(type.shape); i++) {
      const row = columns.map((column) => column[i] ?? 0);
      const isBig = row.every((element) => typeof element === 'bigint');
      const result = isBig ? onBigints?.(...row) : onNumbers(...row.map(Number));
      if (result === undefined) return undefined;
      if (typeof result === 'bigint') results.push(BigInt.asIntN(64, result));
      else if (isFloat(type.dtype) || isSmallInteger(Number(result), type.dtype)) results.push(Number(result));
      else return undefined;
    }
    return results;
  };
}

/** By zero integers cannot be divided: that is left to ONNX Runtime to report. */
function hasZero({ elements }: Known): boolean {
  return elements.some((element) => Number(element) === 0);
}

/** Whether an integer dtype other than int64 holds the value. */
function isSmallInteger(value: number, dtype: DType): boolean {
  const [least, greatest] = dtype === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, dtype === 'uint8' ? 255 : 1];
  return Number.isInteger(value) && value >= least && value <= greatest;
}

const compare = <Op extends OpName>(test: (a: Element, b: Element) => boolean): Evaluator<Op> =>
  elementwise(
    (a = 0, b = 0) => test(a, b),
    (a = 0n, b = 0n) => test(a, b),
  );

/** An element in another dtype; undefined when what becomes of it depends on the machine. */
function castElement(element: Element, to: DType): Element | undefined {
  if (to === 'bool') return Number(element) === 0 ? 0 : 1;
  if (isFloat(to)) return Number(element);
  if (typeof element === 'number' && !Number.isFinite(element)) return undefined;
  const integer = typeof element === 'bigint' ? element : BigInt(Math.trunc(element));
  if (to === 'int64') return BigInt.asIntN(64, integer) === integer ? integer : undefined;
  return isSmallInteger(Number(integer), to) ? Number(integer) : undefined;
}

const evaluators: { readonly [Op in OpName]?: Evaluator<Op> } = {
  Reshape: ([x]) => x?.elements,
  Expand: ([x], _, type) => (x && !isFloat(type.dtype) ? spread(x, type) : undefined),
  Concat: (parts, { axis }) => (axis === 0 ? parts.flatMap(({ elements }) => elements) : undefined),
  Gather: ([x, indices], { axis }) => {
    if (!x || !indices || axis !== 0) return undefined;
    const [length = 0, ...inner] = x.shape;
    const size = sizeOf(inner);
    const starts = indices.elements.map((index) => (Number(index) < 0 ? Number(index) + length : Number(index)));
    if (starts.some((start) => start < 0 || start >= length)) return undefined;
    return starts.flatMap((start) => x.elements.slice(start * size, (start + 1) * size));
  },
  Slice: ([x, starts, , , steps], _, type) => {
    const [start, step] = [Number(starts?.elements[0]), Number(steps?.elements[0])];
    if (x?.shape.length !== 1 || starts?.elements.length !== 1) return undefined;
    return Array.from({ length: sizeOf(type.shape) }, (_value, i) => x.elements[start + i * step] ?? 0);
  },
  Cast: ([x], { to }) => {
    const elements = x?.elements.map((element) => castElement(element, to));
    return elements?.every((element) => element !== undefined) ? elements : undefined;
  },
  Neg: elementwise(
    (x = 0) => -x,
    (x = 0n) => -x,
  ),
  Floor: elementwise((x = 0) => Math.floor(x)),
  Sqrt: elementwise((x = 0) => Math.sqrt(x)),
  Add: elementwise(
    (a = 0, b = 0) => a + b,
    (a = 0n, b = 0n) => a + b,
  ),
  Sub: elementwise(
    (a = 0, b = 0) => a - b,
    (a = 0n, b = 0n) => a - b,
  ),
  Mul: elementwise(
    (a = 0, b = 0) => a * b,
    (a = 0n, b = 0n) => a * b,
  ),
  Mod: ([a, b], attributes, type) => {
    if (!a || !b || hasZero(b)) return undefined;
    return elementwise<'Mod'>(
      (x = 0, y = 1) => ((x % y) + y) % y,
      (x = 0n, y = 1n) => ((x % y) + y) % y,
    )([a, b], attributes, type);
  },
  Div: ([a, b], attributes, type) => {
    if (!a || !b || (!isFloat(type.dtype) && hasZero(b))) return undefined;
    const divide = isFloat(type.dtype) ? (x = 0, y = 0) => x / y : (x = 0, y = 0) => Math.trunc(x / y);
    return elementwise<'Div'>(divide, (x = 0n, y = 1n) => x / y)([a, b], attributes, type);
  },
  Min: elementwise(
    (a = 0, b = 0) => Math.min(a, b),
    (a = 0n, b = 0n) => (a < b ? a : b),
  ),
  Max: elementwise(
    (a = 0, b = 0) => Math.max(a, b),
    (a = 0n, b = 0n) => (a > b ? a : b),
  ),
  Equal: compare((a, b) => a === b),
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Not: elementwise((x = 0) => x === 0),
  And: elementwise((a = 0, b = 0) => a !== 0 && b !== 0),
  Or: elementwise((a = 0, b = 0) => a !== 0 || b !== 0),
  Where: ([condition, a, b], _, type) => {
    if (!condition || !a || !b) return undefined;
    const [yes, no] = [spread(a, type), spread(b, type)];
    return spread(condition, type).map((flag, i) => (Number(flag) === 0 ? no[i] : yes[i]) ?? 0);
  },
  ReduceProd: ([x], _, type) => {
    if (!x || sizeOf(type.shape) !== 1 || x.dtype !== 'int64') return undefined;
    return [x.elements.reduce<bigint>((product, element) => BigInt.asIntN(64, product * BigInt(element)), 1n)];
  },
};
