/** Builds a program around numbers and runs it once: the tests of this package are about what graphs compute. */
import {
  compile,
  createGraph,
  type DType,
  input,
  Runtime,
  type Target,
  type Tensor,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { afterAll, beforeAll } from 'vitest';

let runtime: Runtime | undefined;

/** Call at the top level of a test file: starting a worker takes longer than most tests. */
export function useSharedRuntime(): void {
  beforeAll(async () => {
    runtime = await Runtime.create({ threads: 1 });
  });
  afterAll(() => runtime?.dispose());
}

export interface Precision {
  readonly target: Target;
  readonly dtype: 'float32' | 'float64';
}

export const float64: Precision = { target: 'reference', dtype: 'float64' };

/** A number, or rows of numbers of one length at every depth. */
export type Nested = number | readonly Nested[];

/** An input of the program that is fed these values, in the dtype of the precision unless another is given. */
export type Declare = (name: string, values: Nested, dtype?: DType) => Tensor;

/** The outputs that `build` declares, flat. */
export async function evaluate(
  build: (declare: Declare) => void,
  { target, dtype }: Precision = float64,
): Promise<Record<string, readonly number[]>> {
  const graph = createGraph({ target });
  const feeds: Record<string, TensorData> = {};
  build((name, values, as = dtype) => {
    const shape = shapeOf(values);
    feeds[name] = tensorData(as, shape, flatten(values));
    return input(graph, name, { dtype: as, shape });
  });
  if (!runtime) throw new Error('Call useSharedRuntime() at the top of the test file.');
  await using session = await runtime.load(compile(graph));
  const results = await session.run(feeds);
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, toNumbers(tensor)]));
}

function shapeOf(values: Nested): number[] {
  return typeof values === 'number' ? [] : [values.length, ...shapeOf(values[0] ?? 0)];
}

function flatten(values: Nested): number[] {
  return typeof values === 'number' ? [values] : values.flatMap(flatten);
}
