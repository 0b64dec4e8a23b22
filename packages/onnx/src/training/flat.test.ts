import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { mul } from '../ops/arithmetic.ts';
import { sizeOf, type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { type FlatLayout, flatSize, flatten, packFlat, unflatten, unpackFlat } from './flat.ts';

const SEED = 20261123;
const layout: FlatLayout = [
  { name: 'w', shape: [2, 3] },
  { name: 'scalar', shape: [] },
  { name: 'b', shape: [4] },
];

const values = (dtype: 'float32' | 'float16' = 'float32') =>
  new Map<string, TensorData>(
    layout.map(({ name, shape }, i) => [
      name,
      tensorData(
        dtype,
        shape,
        Array.from({ length: sizeOf(shape) }, (_, k) => 10 * i + k),
      ),
    ]),
  );

describe('packFlat and unpackFlat', () => {
  it('lay tensors end to end in the order of the layout, whatever the order they come in', () => {
    const flat = packFlat(layout, 'float32', new Map([...values()].reverse()));
    expect(flat.shape).toEqual([11]);
    expect([...flat.data]).toEqual([0, 1, 2, 3, 4, 5, 10, 20, 21, 22, 23]);
  });

  it('are inverse to each other, for any layout and dtype', () => {
    const shapes = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), { minLength: 1, maxLength: 6 });
    const cases = fc.tuple(shapes, fc.constantFrom('float32', 'float64', 'bfloat16', 'int64'));
    fc.assert(
      fc.property(cases, ([list, dtype]) => {
        const entries = list.map((shape, i) => ({ name: `t${i}`, shape }));
        const tensors = new Map<string, TensorData>(
          entries.map(({ name, shape }, i) => [
            name,
            tensorData(
              dtype,
              shape,
              Array.from({ length: sizeOf(shape) }, (_, k) => i + k),
            ),
          ]),
        );
        expect(unpackFlat(entries, packFlat(entries, dtype, tensors))).toEqual(tensors);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('unpack without copying', () => {
    const flat = packFlat(layout, 'float32', values());
    const b = unpackFlat(layout, flat).get('b');
    flat.data[10] = 99;
    expect(b && toNumbers(b)).toEqual([20, 21, 22, 99]);
  });

  it('refuse what does not fit, all at once', () => {
    const wrong = values();
    wrong.delete('scalar');
    wrong.set('b', tensorData('float32', [2, 2], [1, 2, 3, 4]));
    wrong.set('extra', tensorData('float32', [], [1]));
    expect(() => packFlat(layout, 'float32', wrong)).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_TENSOR_DATA: The tensors do not fit the layout: 'scalar' is missing; 'b' is float32[2, 2], not float32[4]; 'extra' is not expected. The tensors belong to another model or adapter.]`,
    );
    expect(() => packFlat(layout, 'float32', values('float16'))).toThrowError(/'w' is float16\[2, 3\], not float32/);
    expect(() => unpackFlat(layout, tensorData('float32', [3], [1, 2, 3]))).toThrowError(/3 values for a layout of 11/);
  });
});

it('flatten and unflatten do the same in a graph', async () => {
  const graph = createGraph();
  const flat = input(graph, 'flat', { dtype: 'float32', shape: [flatSize(layout)] });
  const named = unflatten(flat, layout);
  expect([...named].map(([name, { shape }]) => ({ name, shape }))).toEqual(layout);
  for (const [name, tensor] of named) output(name, mul(tensor, 2));
  output('again', flatten([...named.values()]));
  const packed = packFlat(layout, 'float32', values());
  const { again, ...parts } = await runGraph(graph, { flat: packed });
  expect(again && toNumbers(again)).toEqual([...packed.data]);
  for (const [name, tensor] of values()) {
    const part = parts[name];
    expect(part && toNumbers(part)).toEqual(toNumbers(tensor).map((value) => 2 * value));
  }
});
