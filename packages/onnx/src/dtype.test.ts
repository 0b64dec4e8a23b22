import { TensorProto_DataType } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { allocate, type DType, dtypes, isFloat, viewAs } from './dtype.ts';

const names: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int32', 'int64', 'uint8', 'bool'];
const onnxNames: Readonly<Record<DType, keyof typeof TensorProto_DataType>> = {
  float32: 'FLOAT',
  float64: 'DOUBLE',
  float16: 'FLOAT16',
  bfloat16: 'BFLOAT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  bool: 'BOOL',
};

test('the table has no other dtype', () => {
  expect(new Set(Object.keys(dtypes))).toEqual(new Set(names));
});

describe.each(names)('%s', (dtype) => {
  test('has the number of the ONNX specification', () => {
    expect(dtypes[dtype].onnx).toBe(TensorProto_DataType[onnxNames[dtype]]);
  });

  test('has arrays of its element size, zeroed', () => {
    const data = allocate(dtype, 3);
    expect(data.BYTES_PER_ELEMENT).toBe(dtypes[dtype].bytes);
    expect(Array.from<number | bigint, number>(data, Number)).toEqual([0, 0, 0]);
  });

  test('views share the buffer', () => {
    const buffer = new ArrayBuffer(32);
    const view = viewAs(dtype, buffer, { byteOffset: 8, length: 2 });
    expect(view.buffer).toBe(buffer);
    expect([view.byteOffset, view.length]).toEqual([8, 2]);
  });
});

test('only the four float dtypes are floats', () => {
  expect(names.filter(isFloat)).toEqual(['float32', 'float64', 'float16', 'bfloat16']);
});
