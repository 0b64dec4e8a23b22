/** What the collection of broken files in the fixtures does not have; that collection is in `test/safetensors.parity.test.ts`. */
import { describe, expect, test } from 'vitest';
import { parseHeader } from './header.ts';

/** Parses a header over `dataBytes` bytes of data. */
function parse(header: unknown, dataBytes: number) {
  const bytes = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  return parseHeader(bytes, { path: 'x.safetensors', file: '/real/x', fileBytes: 8 + bytes.length + dataBytes });
}

function tensor(dtype: string, shape: readonly number[], offsets: readonly number[]) {
  return { dtype, shape, data_offsets: offsets };
}

describe('accepts', () => {
  test('an entry with its place in the file', () => {
    const header = JSON.stringify({ w: tensor('BF16', [2, 3], [0, 12]) });
    const { tensors, metadata } = parse(header, 12);
    expect(tensors.get('w')).toEqual({
      name: 'w',
      fileDType: 'BF16',
      dtype: 'bfloat16',
      shape: [2, 3],
      file: '/real/x',
      offset: 8 + header.length,
      length: 12,
    });
    expect(metadata.size).toBe(0);
  });

  test('dtypes below a byte whose elements fill bytes', () => {
    const { tensors } = parse({ a: tensor('F4', [2, 3], [0, 3]), b: tensor('F6_E2M3', [4], [3, 6]) }, 6);
    expect([...tensors.values()].map(({ dtype, length }) => ({ dtype, length }))).toEqual([
      { dtype: undefined, length: 3 },
      { dtype: undefined, length: 3 },
    ]);
  });

  test('a zero dimension before an enormous one', () => {
    expect(parse({ a: tensor('F32', [0, 2 ** 40, 2 ** 40], [0, 0]) }, 0).tensors.get('a')?.length).toBe(0);
  });

  test('empty tensors between, before and after others', () => {
    const header = {
      after: tensor('F32', [0], [8, 8]),
      second: tensor('U8', [4], [4, 8]),
      between: tensor('F32', [0], [4, 4]),
      first: tensor('U8', [4], [0, 4]),
      before: tensor('F32', [0], [0, 0]),
    };
    expect([...parse(header, 8).tensors.keys()]).toEqual(['before', 'first', 'between', 'second', 'after']);
  });

  test('fields of an entry that it does not know', () => {
    expect(parse({ a: { ...tensor('U8', [1], [0, 1]), note: ['x'] } }, 1).tensors.size).toBe(1);
  });

  test('spaces after the object', () => {
    expect(parse('{}      ', 0).tensors.size).toBe(0);
  });
});

describe('refuses as a header', () => {
  test.each([
    ['', 'does not begin with {'],
    ['\ufeff{}', 'does not begin with {'],
    ['{}{}', 'is not JSON'],
    ['{"a":1,"a":2}', "more than one 'a'"],
    ['{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', "more than one 'dtype'"],
    ['{"__metadata__":{"k":"1","k":"2"}}', "more than one 'k'"],
    ['{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 'not an unsigned integer'],
    ['{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 'not an unsigned integer'],
    ['{"a":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}', 'not an unsigned integer'],
  ])('%j', (header, fault) => {
    expect(() => parse(header, 1)).toThrow(expect.objectContaining({ code: 'GVU_SAFETENSORS_HEADER' }));
    expect(() => parse(header, 1)).toThrow(fault);
  });
});

describe('refuses as tensors', () => {
  test.each([
    ['half a surrogate pair in a name', { '\ud800': tensor('U8', [1], [0, 1]) }, 1],
    ['half a surrogate pair in metadata', { __metadata__: { k: '\udc00' } }, 0],
    ['half a surrogate pair in a key of metadata', { __metadata__: { '\udc00': 'v' } }, 0],
    ['a dtype that objects inherit', { a: tensor('toString', [1], [0, 1]) }, 1],
    ['a dtype in lower case', { a: tensor('f32', [1], [0, 4]) }, 4],
    ['a tensor that is null', { a: null }, 0],
    ['a shape that is an object', { a: { dtype: 'U8', shape: { length: 1 }, data_offsets: [0, 1] } }, 1],
    ['an offset beyond 2^53', { a: tensor('U8', [1], [2 ** 53, 2 ** 53 + 2]) }, 1],
    ['a dimension beyond 2^53', { a: tensor('U8', [2 ** 53], [0, 1]) }, 1],
    ['elements that end inside a byte', { a: tensor('F4', [3], [0, 2]) }, 2],
    ['an empty tensor inside another', { a: tensor('U8', [4], [0, 4]), b: tensor('U8', [0], [2, 2]) }, 4],
    ['a hole before an empty tensor at the end', { a: tensor('U8', [4], [0, 4]), b: tensor('U8', [0], [6, 6]) }, 6],
    ['two tensors of the same bytes', { a: tensor('U8', [4], [0, 4]), b: tensor('U8', [4], [0, 4]) }, 4],
  ])('%s', (_, header, dataBytes) => {
    expect(() => parse(header, dataBytes)).toThrow(expect.objectContaining({ code: 'GVU_SAFETENSORS_TENSORS' }));
  });

  test('and lists every fault at once', () => {
    const header = {
      a: tensor('F33', [1], [0, 4]),
      b: tensor('F32', [2 ** 60], [0, 4]),
      c: tensor('F32', [2], [0, 4]),
      d: tensor('F32', [1], [0, 4]),
      __metadata__: { n: 1 },
    };
    expect(() => parse(header, 4)).toThrow(
      expect.objectContaining({
        details: {
          file: 'x.safetensors',
          problems: [
            "__metadata__ has 1 for 'n', not a string",
            expect.stringContaining("tensor 'a' has the unknown dtype"),
            expect.stringContaining("tensor 'b' has the shape"),
            "tensor 'c' of F32[2] needs 8 bytes and has 4",
          ],
        },
      }),
    );
  });

  test('a shape nested deeper than it can be shown', () => {
    const depth = 100_000;
    const header = `{"a":{"dtype":"U8","shape":${'['.repeat(depth)}${']'.repeat(depth)},"data_offsets":[0,1]}}`;
    expect(() => parse(header, 1)).toThrow(expect.objectContaining({ code: 'GVU_SAFETENSORS_TENSORS' }));
  });

  test('with a message that stays short however many or long the faults are', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`t${i}${'x'.repeat(1000)}`, null]));
    expect(() => parse(many, 0)).toThrow(/and 9990 more/);
    expect(() => parse(many, 0)).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/.{5000}/) }));
  });
});

test.each([
  [3, 'not copied or downloaded to its end'],
  [5, 'appended'],
])('refuses %i bytes of data for 4', (dataBytes, why) => {
  const header = { a: tensor('F32', [1], [0, 4]) };
  expect(() => parse(header, dataBytes)).toThrow(expect.objectContaining({ code: 'GVU_SAFETENSORS_SIZE' }));
  expect(() => parse(header, dataBytes)).toThrow(why);
});
