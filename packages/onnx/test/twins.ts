/**
 * The lowerings of one function held against each other: values and gradients on every target, judged by the decomposed
 * form in float64, which finite differences judge in turn (`checkGradients`).
 */
import { fillUniform, randomStream } from '@gvu/core';
import { expect } from 'vitest';
import { gradients } from '../src/autodiff/grad.ts';
import { type FloatDType, isFloat } from '../src/dtype.ts';
import { constantData, createGraph, input, output, type Target, type Tensor } from '../src/graph/graph.ts';
import { cast } from '../src/ops/arithmetic.ts';
import { sizeOf, type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { runGraph } from './run-graph.ts';

/** What a function is built of: values that are given, or a shape to fill at random between -1 and 1. */
export type TwinInput = TensorData | readonly number[];

type Build = (...inputs: Tensor[]) => Tensor;

interface TwinOptions {
  readonly targets?: readonly Target[];
  readonly dtype?: FloatDType;
  /** Largest distance from the twin, relative to its largest value. */
  readonly tolerance?: number;
  /** False where no gradient exists. */
  readonly differentiable?: boolean;
  readonly seed?: number;
}

/** Expects value and gradients of `build` on each target (default `cpu` and `cuda`, float32) to be those of its float64 twin. */
export async function expectTwins(
  build: Build,
  inputs: readonly TwinInput[],
  options: TwinOptions = {},
): Promise<void> {
  const { targets = ['cpu', 'cuda'], dtype = 'float32', tolerance = 1e-5, differentiable = true, seed = 7 } = options;
  const stream = randomStream(seed, 'twins');
  const values = inputs.map((given, i) => ('data' in given ? given : randomValues(given, stream.at(i))));
  const twin = await results(build, values, { target: 'reference', dtype: 'float64', differentiable });
  for (const target of targets) {
    const found = await results(build, values, { target, dtype, differentiable });
    for (const [name, expected] of twin) {
      const actual = found.get(name) ?? [];
      expect(actual.length, `${name} on ${target}`).toBe(expected.length);
      const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] ?? NaN))), 0);
      expect(error / scale, `${name} on ${target} in ${dtype}`).toBeLessThanOrEqual(tolerance);
    }
  }
}

async function results(
  build: Build,
  values: readonly TensorData[],
  options: { target: Target; dtype: FloatDType; differentiable: boolean },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const { target, dtype, differentiable } = options;
  const graph = createGraph({ target });
  // Half floats enter and leave as float32: ONNX Runtime's JavaScript has no other numbers for them.
  const fed = dtype === 'float64' ? 'float64' : 'float32';
  const given = values.map((value, i) =>
    input(graph, `input_${i}`, { dtype: isFloat(value.dtype) ? fed : value.dtype, shape: value.shape }),
  );
  const y = build(...given.map((tensor) => (isFloat(tensor.dtype) ? cast(tensor, dtype) : tensor)));
  output('value', cast(y, fed));
  if (differentiable) {
    const wide = cast(y, fed);
    const wrt = given.filter((tensor) => isFloat(tensor.dtype));
    const seed = constantData(graph, randomValues(y.shape, randomStream(1, 'twins/cotangent').at(0), fed));
    for (const [i, gradient] of gradients(wide, wrt, { seed }).entries()) output(`gradient ${i}`, gradient);
  }
  const feeds = values.map((value) => (isFloat(value.dtype) ? tensorData(fed, value.shape, toNumbers(value)) : value));
  const fetched = await runGraph(graph, Object.fromEntries(feeds.map((value, i) => [`input_${i}`, value])));
  return new Map(Object.entries(fetched).map(([name, tensor]) => [name, toNumbers(tensor)]));
}

function randomValues(
  shape: readonly number[],
  address: Parameters<typeof fillUniform>[1],
  dtype: 'float32' | 'float64' = 'float32',
): TensorData {
  const data = new Float32Array(sizeOf(shape));
  fillUniform(data, address);
  return tensorData(
    dtype,
    shape,
    data.map((value) => 2 * value - 1),
  );
}
