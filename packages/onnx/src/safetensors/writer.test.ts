import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { allocate, type DType, dtypes } from '../dtype.ts';
import { sizeOf, type TensorData, tensorBytes, tensorData, tensorFromBuffer } from '../tensor-data.ts';
import { openSafetensors, readTensors } from './reader.ts';
import { encodeSafetensors, writeSafetensors } from './writer.ts';

const seed = 20261123;
const invalid = expect.objectContaining({ code: 'GVU_SAFETENSORS_WRITE' });

const dtypeNames: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int32', 'int64', 'uint8', 'bool'];
/** Any bits at all, NaN payloads and signed zeros included; for bool, 0 and 1. */
const tensor: fc.Arbitrary<TensorData> = fc
  .tuple(fc.constantFrom(...dtypeNames), fc.array(fc.nat(3), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = sizeOf(shape) * dtypes[dtype].bytes;
    return fc
      .uint8Array({ minLength: length, maxLength: length, max: dtype === 'bool' ? 1 : 255 })
      .map((bytes): TensorData => tensorFromBuffer(dtype, shape, bytes.slice().buffer));
  });
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '10', '9', '"\\', ''));
const named = fc.uniqueArray(fc.tuple(text, tensor), { selector: ([name]) => name, maxLength: 8 });
const metadata = fc.uniqueArray(fc.tuple(text, text), { selector: ([key]) => key, maxLength: 4 });

test('what is written is read again, bit for bit, whatever the names, shapes, dtypes and metadata', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'x.safetensors');
  await fc.assert(
    fc.asyncProperty(named, metadata, async (tensors, texts) => {
      await writeSafetensors(path, new Map(tensors), new Map(texts));
      const file = await readFile(path);
      expect(Buffer.compare(file, encodeSafetensors(new Map(tensors), new Map(texts)))).toBe(0);
      const opened = await openSafetensors(path);
      expect(opened.metadata).toEqual(new Map(texts));
      const read = await readTensors(opened.tensors.values());
      expect(shapesAndBytes(read)).toEqual(shapesAndBytes(new Map(tensors)));
      for (const { dtype, offset } of opened.tensors.values()) expect(dtype && offset % dtypes[dtype].bytes).toBe(0);
    }),
    { seed, numRuns: 200 },
  );
});

test('the bytes do not depend on the order of tensors and metadata', () => {
  fc.assert(
    fc.property(named, metadata, (tensors, texts) => {
      const forwards = encodeSafetensors(new Map(tensors), new Map(texts));
      const backwards = encodeSafetensors(new Map(tensors.toReversed()), new Map(texts.toReversed()));
      expect(Buffer.compare(forwards, backwards)).toBe(0);
    }),
    { seed },
  );
});

test('plain objects and maps give the same file', () => {
  const a = tensorData('float32', [2], [1, 2]);
  expect(encodeSafetensors({ a }, { k: 'v' })).toEqual(encodeSafetensors(new Map([['a', a]]), new Map([['k', 'v']])));
});

test('tensors lie by falling alignment and then by the bytes of their names, as the official library has them', () => {
  const one = (dtype: DType): TensorData => tensorFromBuffer(dtype, [0], allocate(dtype, 0).buffer);
  const tensors = new Map<string, TensorData>(dtypeNames.map((dtype) => [dtype, one(dtype)]));
  // By UTF-16 units the astral character would come before the full-width one.
  for (const name of ['\u{1f600}', '\uff5e', 'b', 'B', '10', '9']) tensors.set(name, one('float32'));
  const bytes = encodeSafetensors(tensors, { format: 'pt' });
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  expect([...header.matchAll(/"([^"]*)":\{"dtype"/g)].map(([, name]) => name)).toEqual([
    ...['int64', 'float64', '10', '9', 'B', 'b', 'float32', '\uff5e', '\u{1f600}'],
    ...['int32', 'bfloat16', 'float16', 'uint8', 'bool'],
  ]);
  expect(header).toMatch(
    /^\{"__metadata__":\{"format":"pt"\},"int64":\{"dtype":"I64","shape":\[0\],"data_offsets":\[0,0\]\},/,
  );
  expect((8 + length) % 8).toBe(0);
});

test('a view of a part of a buffer is written as that part', () => {
  const data = Float32Array.of(1, 2, 3).subarray(1, 2);
  const whole = encodeSafetensors({ a: { dtype: 'float32', shape: [1], data } });
  expect(whole).toEqual(encodeSafetensors({ a: tensorData('float32', [1], [2]) }));
});

test('refuses with every fault at once, and leaves the old file', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'x.safetensors');
  await writeFile(path, 'old');
  const fine = tensorData('float32', [1], [1]);
  const tensors = {
    fine,
    __metadata__: fine,
    '\ud800': fine,
    short: { ...fine, shape: [2] },
    odd: { dtype: 'bool', shape: [1], data: Uint8Array.of(2) } as const,
  };
  await expect(writeSafetensors(path, tensors, { key: '\udfff' })).rejects.toMatchObject({
    code: 'GVU_SAFETENSORS_WRITE',
    details: { problems: { length: 5 } },
  });
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(directory.path)).toEqual(['x.safetensors']);
});

test('refuses what callers without types may pass', () => {
  const encode = (...values: unknown[]): unknown => Reflect.apply(encodeSafetensors, undefined, values);
  for (const values of [[{ w: null }], [{ w: {} }], [{ w: 1 }], [{}, { step: 5 }], [{}, { step: null }]])
    expect(() => encode(...values)).toThrow(invalid);
});

test('a name as long as the file system takes can be written, a longer one is refused with a code', async () => {
  await using directory = await temporaryDirectory();
  const tensors = { w: tensorData('uint8', [1], [1]) };
  const longest = join(directory.path, 'x'.repeat(250));
  await writeSafetensors(longest, tensors);
  expect((await openSafetensors(longest)).tensors.size).toBe(1);
  await expect(writeSafetensors(`${longest}${'x'.repeat(50)}`, tensors)).rejects.toThrow(invalid);
  expect(await readdir(directory.path)).toHaveLength(1);
});

test('refuses a header beyond the limit of the format', () => {
  expect(() => encodeSafetensors({}, { long: 'x'.repeat(100_000_000) })).toThrow(invalid);
});

describe('on disk', () => {
  test('a failed write names the file and its cause, and leaves nothing behind', async () => {
    await using directory = await temporaryDirectory();
    const occupied = join(directory.path, 'occupied.safetensors');
    await mkdir(occupied);
    for (const path of [occupied, join(directory.path, 'none', 'x.safetensors')])
      await expect(writeSafetensors(path, {})).rejects.toMatchObject({
        code: 'GVU_SAFETENSORS_WRITE',
        message: expect.stringContaining(path),
        cause: expect.objectContaining({ syscall: expect.any(String) }),
      });
    expect(await readdir(directory.path)).toEqual(['occupied.safetensors']);
  });

  test('whoever opens the file while it is replaced sees one whole version', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    const version = (i: number) => ({
      a: tensorData(
        'int32',
        [i, 1000],
        Array.from({ length: i * 1000 }, () => i),
      ),
    });
    await writeSafetensors(path, version(1));
    let writing = true;
    const writer = (async () => {
      for (let i = 2; i <= 40; i++) await writeSafetensors(path, version(1 + (i % 7)));
      writing = false;
    })();
    let reads = 0;
    for (; writing; reads++) {
      // A file that is opened twice, for its header and for its values, may be another the second time: read it at once.
      const bytes = await readFile(path);
      const copy = join(directory.path, 'copy');
      await writeFile(copy, bytes);
      const { tensors } = await openSafetensors(copy);
      const data = (await readTensors(tensors.values())).get('a')?.data;
      expect(new Set<unknown>(data)).toEqual(new Set([(data?.length ?? 0) / 1000]));
    }
    await writer;
    expect(reads).toBeGreaterThan(3);
  });
});

function shapesAndBytes(tensors: ReadonlyMap<string, TensorData>) {
  return new Map(
    [...tensors].map(([name, value]) => [name, { ...value, data: Buffer.from(tensorBytes(value)).toString('hex') }]),
  );
}
