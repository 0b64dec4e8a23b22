import { describe, expect, test } from 'vitest';
import type { DType } from './dtype.ts';
import { checkTensorData, sizeOf, tensorBytes, tensorData, tensorFromBuffer, toNumbers } from './tensor-data.ts';

const invalid = expect.objectContaining({ code: 'GVU_TENSOR_DATA' });

test('the size of a shape', () => {
  expect([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0, 3])]).toEqual([1, 6, 0]);
});

describe('tensorData', () => {
  test('refuses what callers without types may pass', () => {
    const untyped = (values: readonly unknown[]): unknown => Reflect.apply(tensorData, undefined, values);
    for (const values of [
      ['nope', [1], [1]],
      ['toString', [1], [1]],
      [undefined, [1], [1]],
      ['float32', [1], ['x']],
      ['float32', [1], [null]],
      ['float16', [1], ['1']],
      ['int64', [1], [undefined]],
      ['float32', 1, [1]],
    ])
      expect(() => untyped(values)).toThrow(invalid);
  });

  test('converts numbers to each dtype and toNumbers reads them back', () => {
    const stored: Record<DType, readonly number[]> = {
      float32: [Math.fround(0.1), -2, 1],
      float64: [0.1, -2, 1],
      float16: [0.0999755859375, -2, 1],
      bfloat16: [0.10009765625, -2, 1],
      int32: [-2147483648, 2147483647, 1],
      int64: [-(2 ** 53), 2 ** 53, 1],
      uint8: [0, 255, 1],
      bool: [0, 1, 1],
    };
    for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const)
      expect(toNumbers(tensorData(dtype, [3], [0.1, -2n, true]))).toEqual(stored[dtype]);
    for (const dtype of ['int32', 'int64', 'uint8', 'bool'] as const)
      expect(toNumbers(tensorData(dtype, [3], stored[dtype]))).toEqual(stored[dtype]);
  });

  test('keeps int64 beyond 2^53 exact', () => {
    const values = [2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n];
    expect(Array.from(tensorData('int64', [3], values).data)).toEqual(values);
  });

  test('floats round and overflow as IEEE 754 does', () => {
    expect(toNumbers(tensorData('float16', [3], [65520, -1e9, Number.NaN]))).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ]);
  });

  test.each([
    ['uint8', 256],
    ['uint8', -1],
    ['int32', 2 ** 31],
    ['int32', 1.5],
    ['int64', 2 ** 63],
    ['int64', Number.NaN],
    ['bool', 2],
  ] as const)('%s refuses %d', (dtype, value) => {
    expect(() => tensorData(dtype, [2], [0, value])).toThrow(invalid);
    expect(() => tensorData(dtype, [2], [0, value])).toThrow(`Value 1 of 2 is ${value}`);
  });

  test('refuses a count that is not the shape', () => {
    expect(() => tensorData('float32', [2, 2], [1, 2, 3])).toThrow(invalid);
  });

  test.each([[[-1]], [[1.5, 2]], [[Number.NaN]], [[2 ** 53]]])('refuses the shape %j', (shape) => {
    expect(() => tensorData('float32', shape, [1, 2, 3])).toThrow(invalid);
  });
});

describe('tensorFromBuffer', () => {
  test('is a view, and tensorBytes is its inverse', () => {
    const buffer = Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 192).buffer;
    const tensor = tensorFromBuffer('float32', [2], buffer);
    expect(toNumbers(tensor)).toEqual([1, -2]);
    expect(tensor.data.buffer).toBe(buffer);
    expect(tensorBytes(tensor)).toEqual(new Uint8Array(buffer));
  });

  test('refuses too few and too many bytes', () => {
    expect(() => tensorFromBuffer('float32', [2], new ArrayBuffer(7))).toThrow(invalid);
    expect(() => tensorFromBuffer('int64', [], new ArrayBuffer(16))).toThrow(invalid);
  });
});

test('tensorBytes of a part of a buffer is that part only', () => {
  const whole = Float32Array.of(1, 2, 3);
  expect(tensorBytes({ dtype: 'float32', shape: [1], data: whole.subarray(1, 2) })).toEqual(Uint8Array.of(0, 0, 0, 64));
});

describe('checkTensorData', () => {
  test('accepts what fits, a Buffer of bytes too', () => {
    checkTensorData({ dtype: 'float16', shape: [2, 1], data: Uint16Array.of(0, 1) }, 'x');
    checkTensorData({ dtype: 'uint8', shape: [2], data: Buffer.from([1, 2]) }, 'x');
    checkTensorData({ dtype: 'bool', shape: [0, 4], data: new Uint8Array(0) }, 'x');
  });

  test('names the tensor and the array it needs', () => {
    // Wrong on purpose: this is what a caller without types can pass.
    const wrong = { dtype: 'float32', shape: [1], data: Float64Array.of(1) } as never;
    expect(() => checkTensorData(wrong, 'embed')).toThrow(/'embed' is float32 but holds a Float64Array.*Float32Array/);
  });

  test.each([[[3]], [[]], [[2, 2]], [[-2]], [[0.5, 4]]])('refuses two elements as %j', (shape) => {
    expect(() => checkTensorData({ dtype: 'int32', shape, data: Int32Array.of(1, 2) }, 'x')).toThrow(invalid);
  });
});
