import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DType, dtypes } from '../dtype.ts';
import { type TensorData, tensorData, tensorFromBuffer } from '../tensor-data.ts';
import { runProblems, tensorProblem } from './check-run.ts';
import type { Program, ValueSpec } from './program.ts';

const seed = 20_261_123;
const names = ['tokens', 'noise', 'layers.0/w', 'mask', '__proto__', 'constructor'];
const anyDtype = fc.constantFrom(...Object.keys(dtypes)).map((name) => name as DType);
const anyShape = fc.array(fc.constantFrom(-1, 0, 1, 2, 5), { maxLength: 3 });
const specs = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1 })
  .chain((chosen) =>
    fc.tuple(...chosen.map((name) => fc.record({ name: fc.constant(name), dtype: anyDtype, shape: anyShape }))),
  );
const program = fc
  .record({ inputs: specs, outputs: specs })
  .map((values): Program => ({ name: 'p', model: new Uint8Array(), ...values }));

/** A tensor that fits, each varying length being `length`. */
function fitting({ dtype, shape }: ValueSpec, length: number): TensorData {
  const concrete = shape.map((dim) => (dim < 0 ? length : dim));
  const count = concrete.reduce((product, dim) => product * dim, 1);
  return tensorFromBuffer(dtype, concrete, new ArrayBuffer(count * dtypes[dtype].bytes));
}

const noVariables = new Map<string, ValueSpec>();

describe('runProblems', () => {
  test(`finds none in a run that fits (seed ${seed})`, () => {
    fc.assert(
      fc.property(program, fc.nat(4), (p, length) => {
        const feeds = Object.fromEntries(p.inputs.map((spec) => [spec.name, fitting(spec, length)]));
        const fetch = p.outputs.map(({ name }) => name);
        expect(runProblems(p, { feeds, fetch, update: {}, variables: noVariables })).toEqual([]);
      }),
      { seed },
    );
  });

  test(`finds each of several mistakes, by name (seed ${seed})`, () => {
    const mistake = fc.constantFrom('missing', 'dtype', 'rank', 'count', 'kind');
    fc.assert(
      fc.property(program, fc.infiniteStream(mistake), (p, mistakes) => {
        const made = p.inputs.map((spec) => [spec, mistakes.next().value] as const);
        const feeds = Object.fromEntries(
          made.flatMap(([spec, kind]) => (kind === 'missing' ? [] : [[spec.name, spoilt(fitting(spec, 3), kind)]])),
        );
        const problems = runProblems(p, { feeds, fetch: ['nothing'], update: {}, variables: noVariables });
        expect(problems).toHaveLength(made.length + 1);
        for (const [{ name }] of made)
          expect(problems.filter((problem) => problem.includes(`'${name}'`))).toHaveLength(1);
      }),
      { seed },
    );
  });
});

/** The tensor with one thing about it wrong, as callers without types could make it. */
function spoilt(tensor: TensorData, kind: string): TensorData {
  if (kind === 'dtype') return { ...tensor, dtype: tensor.dtype === 'int32' ? 'float32' : 'int32' } as TensorData;
  if (kind === 'rank') return { ...tensor, shape: [...tensor.shape, 1] };
  if (kind === 'kind')
    return { ...tensor, data: new Int8Array(tensor.data.length) as unknown as Uint8Array } as TensorData;
  return {
    ...tensor,
    data: tensorData(tensor.dtype, [tensor.data.length + 1], Array(tensor.data.length + 1).fill(0)).data,
  } as TensorData;
}

describe('tensorProblem', () => {
  const spec = { dtype: 'float32', shape: [2, -1] } as const;

  test.each([
    [undefined, 'is float32[2, ?], got no { dtype, shape, data }'],
    [null, 'is float32[2, ?], got no { dtype, shape, data }'],
    [[1, 2], 'is float32[2, ?], got no { dtype, shape, data }'],
    [{ dtype: 'float32', shape: [2, 1], data: [1, 2] }, 'is float32[2, ?], got no { dtype, shape, data }'],
    [{ dtype: 'float32', shape: [2], data: new Float32Array(2) }, 'is float32[2, ?], got float32[2]'],
    [{ dtype: 'float32', shape: [2, -1], data: new Float32Array(2) }, 'has the impossible shape [2, -1]'],
    [{ dtype: 'float32', shape: [2, Number.NaN], data: new Float32Array(2) }, 'has the impossible shape [2, NaN]'],
    [{ dtype: 'float32', shape: [2, 0.5], data: new Float32Array(1) }, 'has the impossible shape [2, 0.5]'],
    [{ dtype: 'float32', shape: [2, 3], data: new Float32Array(5) }, 'has 5 elements, its shape [2, 3] needs 6'],
    [
      { dtype: 'float32', shape: [2, 3], data: new Float64Array(6) },
      'is float32[2, ?] and takes a Float32Array, got a Float64Array',
    ],
    [
      { dtype: 'float32', shape: [2, 3], data: new DataView(new ArrayBuffer(24)) },
      'is float32[2, ?] and takes a Float32Array, got a DataView',
    ],
    [{ dtype: 'float32', shape: [2, 3], data: new Float32Array(6) }, undefined],
  ])('%o', (tensor, problem) => {
    expect(tensorProblem(tensor as TensorData, spec)).toBe(problem);
  });

  test('memory that is gone is told from memory that is too small', () => {
    const data = new Float32Array(6);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(tensorProblem({ dtype: 'float32', shape: [2, 3], data }, spec)).toMatch(/^has lost its memory/);
    expect(tensorProblem({ dtype: 'float32', shape: [2, 3], data: new Float32Array() }, spec)).toMatch(
      /^has 0 elements/,
    );
  });
});
