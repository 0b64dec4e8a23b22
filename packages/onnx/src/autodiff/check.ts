/**
 * Are the gradients of a function right? They are compared with central differences of the same function, built for the
 * `reference` target in float64 and evaluated at all perturbed points by one loop in one run.
 *
 * By default the gradients come from that very graph, so only the rules are judged, to about nine digits. With another target
 * or dtype the gradients under test are those of its fused operators, judged by the differences of the decomposed ones.
 */
import { fillUniform, type RandomAddress, randomStream, shuffled } from '@gvu/core';
import { compile } from '../codec/encode.ts';
import { type DType, type FloatDType, isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import {
  constant,
  constantData,
  createGraph,
  type Graph,
  input,
  output,
  type Target,
  type Tensor,
} from '../graph/graph.ts';
import { typeText } from '../graph/specs/spec.ts';
import { add, and, cast, equal, mul, where } from '../ops/arithmetic.ts';
import { loop } from '../ops/control.ts';
import { sum } from '../ops/linear.ts';
import { gather } from '../ops/movement.ts';
import { Runtime } from '../runtime/runtime.ts';
import { sizeOf, type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { gradients } from './grad.ts';

/** Random values of a shape, uniform between `low` (default -1) and `high` (default 1). */
export interface RandomInput {
  readonly shape: readonly number[];
  readonly low?: number;
  readonly high?: number;
}

export interface CheckOptions {
  /** Of the random inputs, the cotangent and the choice of elements. Default 0. */
  readonly seed?: number;
  /** Largest error allowed. Default 1e-7 in float64, 1e-5 in float32. */
  readonly tolerance?: number;
  /** Distance of the perturbed points. Default 1e-5. */
  readonly step?: number;
  /** At most this many elements of an input are perturbed. Default 128. */
  readonly elements?: number;
  /** What the gradients under test are built for. Default `reference` in float64. */
  readonly target?: Target;
  readonly dtype?: 'float64' | 'float32';
  /** Where to run; a runtime of its own is started when none is given. */
  readonly runtime?: Runtime;
}

/** The element of an input at which gradient and difference are furthest apart. */
export interface GradientError {
  /** Position of the input. */
  readonly input: number;
  /** Index of the element in row-major order. */
  readonly element: number;
  readonly gradient: number;
  readonly difference: number;
  /** Their distance, relative to the largest gradient of this input (to 1e-3 if that is less, where differences are noise). */
  readonly error: number;
}

/**
 * Checks the gradients of `build` with respect to every floating-point input. The upstream gradient is random. `build` is
 * called three times and must do the same each time. Inputs are random, or given; integers and bools are passed as they
 * are. Returns the worst error of each input; throws GVU_AUTODIFF_CHECK when one is above the tolerance. Keep inputs at
 * least a step away from kinks, where differences mean nothing.
 */
export async function checkGradients(
  build: (...inputs: Tensor[]) => Tensor,
  inputs: readonly (TensorData | RandomInput)[],
  options: CheckOptions = {},
): Promise<readonly GradientError[]> {
  const { seed = 0, step = 1e-5, elements = 128, target = 'reference', dtype = 'float64' } = options;
  const { tolerance = dtype === 'float64' ? 1e-7 : 1e-5 } = options;
  const random = randomStream(seed, 'autodiff/check');
  const values = inputs.map((given, i) => ('data' in given ? given : uniform(given, random.at(0, i))));
  const checked = [...values.keys()].filter((i) => isFloat(values[i]?.dtype ?? 'bool'));
  const probes = checked.flatMap((i) =>
    shuffled([...Array(sizeOf(values[i]?.shape ?? [])).keys()], random.at(1, i))
      .slice(0, elements)
      .map((element): Probe => ({ input: i, element })),
  );
  const weigh = (y: Tensor) => constantData(y.block.graph, uniform(y, random.at(2), y.dtype));

  const tested = gradientGraph(build, values, { checked, weigh, target, dtype });
  const reference = differenceGraph(build, values, { probes, weigh, step });
  const runtime = options.runtime ?? (await Runtime.create({ threads: 1 }));
  try {
    const results = await runOnce(runtime, tested, feedsOf(values, dtype));
    const { losses = [] } = await runOnce(runtime, reference, feedsOf(values, 'float64'));
    const found = probes.map(({ input, element }, k) => ({
      input,
      element,
      gradient: results[`gradient_${input}`]?.[element] ?? Number.NaN,
      difference: ((losses[2 * k] ?? Number.NaN) - (losses[2 * k + 1] ?? Number.NaN)) / (2 * step),
    }));
    const worst = checked.flatMap((i) => worstOf(found.filter(({ input }) => input === i)));
    for (const one of worst) if (!(one.error <= tolerance)) throw mismatch(one, values, tolerance);
    return worst;
  } finally {
    if (runtime !== options.runtime) await runtime.dispose();
  }
}

/** One element of one input that is moved to both sides. */
interface Probe {
  readonly input: number;
  readonly element: number;
}

/** The function as it is tested, with the gradient of each checked input. */
function gradientGraph(
  build: (...inputs: Tensor[]) => Tensor,
  values: readonly TensorData[],
  options: { checked: readonly number[]; weigh: (y: Tensor) => Tensor; target: Target; dtype: FloatDType },
): Graph {
  const { checked, weigh, target, dtype } = options;
  const graph = createGraph({ name: 'gradients under test', target });
  const fed = declare(graph, values, dtype);
  const y = build(...fed);
  const wrt = checked.flatMap((i) => fed[i] ?? []);
  for (const [k, gradient] of gradients(y, wrt, { seed: weigh(y) }).entries())
    output(`gradient_${checked[k]}`, gradient);
  return graph;
}

/** The weighted sum of the function's outputs at both sides of every probe: [2 * probes]. */
function differenceGraph(
  build: (...inputs: Tensor[]) => Tensor,
  values: readonly TensorData[],
  options: { probes: readonly Probe[]; weigh: (y: Tensor) => Tensor; step: number },
): Graph {
  const { probes, weigh, step } = options;
  const graph = createGraph({ name: 'finite differences', target: 'reference' });
  const fed = declare(graph, values, 'float64');
  const column = (dtype: DType, pick: (probe: Probe) => readonly [number, number]) =>
    constant(graph, dtype, [2 * probes.length], probes.flatMap(pick));
  const moved = column('int64', ({ input }) => [input, input]);
  const places = column('int64', ({ element }) => [element, element]);
  const offsets = column('float64', () => [step, -step]);
  const { kept } = loop(graph, { trips: 2 * probes.length, carried: [] }, (iteration) => {
    const [which, place, offset] = [gather(moved, iteration), gather(places, iteration), gather(offsets, iteration)];
    const point = fed.map((x, i) => {
      if (!isFloat(x.dtype)) return x;
      const order = constant(graph, 'int64', x.shape, Array(sizeOf(x.shape)).keys());
      return add(x, where(and(equal(which, i), equal(order, place)), offset, 0));
    });
    const y = build(...point);
    return { carried: [], kept: [cast(sum(mul(y, weigh(y))), 'float64')] };
  });
  for (const losses of kept) output('losses', losses);
  return graph;
}

function declare(graph: Graph, values: readonly TensorData[], dtype: FloatDType): Tensor[] {
  return values.map((value, i) =>
    input(graph, `input_${i}`, { dtype: isFloat(value.dtype) ? dtype : value.dtype, shape: value.shape }),
  );
}

function feedsOf(values: readonly TensorData[], dtype: FloatDType): Record<string, TensorData> {
  const feeds = values.map((value) =>
    isFloat(value.dtype) ? tensorData(dtype, value.shape, toNumbers(value)) : value,
  );
  return Object.fromEntries(feeds.map((value, i) => [`input_${i}`, value]));
}

async function runOnce(
  runtime: Runtime,
  graph: Graph,
  feeds: Record<string, TensorData>,
): Promise<Readonly<Record<string, readonly number[]>>> {
  await using session = await runtime.load(compile(graph));
  const outputs = await session.run(feeds);
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, toNumbers(tensor)]));
}

/** Numbers that every floating-point dtype of 32 bits or more holds exactly, so that all graphs get the same. */
function uniform(
  { shape, low = -1, high = 1 }: RandomInput,
  address: RandomAddress,
  dtype: DType = 'float64',
): TensorData {
  const data = new Float32Array(sizeOf(shape));
  fillUniform(data, address);
  return tensorData(
    dtype,
    shape,
    data.map((value) => low + value * (high - low)),
  );
}

function worstOf(found: readonly Omit<GradientError, 'error'>[]): readonly GradientError[] {
  const scale = found.reduce(
    (most, { gradient, difference }) => Math.max(most, Math.abs(gradient), Math.abs(difference)),
    1e-3,
  );
  const errors = found.map((one) => ({ ...one, error: Math.abs(one.gradient - one.difference) / scale }));
  // NaN counts as worse than any number.
  return errors.reduce<GradientError[]>(
    ([worst], one) => [worst && !(one.error > worst.error || Number.isNaN(one.error)) ? worst : one],
    [],
  );
}

function mismatch(worst: GradientError, values: readonly TensorData[], tolerance: number): Error {
  const { input: i, element, gradient, difference, error } = worst;
  const value = values[i];
  return onnxErrors.error(
    'GVU_AUTODIFF_CHECK',
    `Element ${element} of input ${i} (${value ? typeText(value) : 'missing'}) has the gradient ${gradient}, but differences give ${difference}: an error of ${error.toExponential(1)}, above ${tolerance}.`,
    {
      hint: 'Look for a wrong rule, a stopGradient in the function, or a kink (a tie, a bound, 0) within a step of the input.',
      details: { ...worst, tolerance },
    },
  );
}
