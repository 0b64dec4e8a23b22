/**
 * The reader and writer against files and values that the official library made or judged: the collection of odd and of
 * broken files in `safetensors-edge`, and every other safetensors file among the fixtures.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../src/safetensors/checkpoint.ts';
import { openSafetensors, readTensor, readTensors } from '../src/safetensors/reader.ts';
import { encodeSafetensors } from '../src/safetensors/writer.ts';
import { type TensorData, tensorBytes, toNumbers } from '../src/tensor-data.ts';
import { fixture, fixtureNames } from './fixtures.ts';

type Value = number | boolean | string;

interface Cases {
  valid: {
    file: string;
    why: string;
    official: string;
    metadata: Record<string, string> | null;
    tensors: { name: string; dtype: string; shape: number[]; bytes_hex: string; values: Value[] }[];
  }[];
  invalid: { file: string; why: string; official: string }[];
}

const edge = fixture('safetensors-edge');
const cases: Cases = JSON.parse(readFileSync(join(edge, 'cases.json'), 'utf8'));

describe.each(cases.valid.filter(({ official }) => official === 'accepts'))('$file: $why', (expected) => {
  const path = join(edge, expected.file);

  test('has this metadata and these tensors', async () => {
    const { metadata, tensors } = await openSafetensors(path);
    expect(metadata).toEqual(new Map(Object.entries(expected.metadata ?? {})));
    const table = [...tensors.values()].map(({ name, fileDType, shape }) => ({ name, dtype: fileDType, shape }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(table.sort(byName)).toEqual(
      expected.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })).sort(byName),
    );
  });

  test('has each value, bit for bit', async () => {
    const { tensors } = await openSafetensors(path);
    const file = readFileSync(path);
    for (const { name, dtype, bytes_hex: hex, values } of expected.tensors) {
      const entry = tensors.get(name);
      if (!entry) throw new Error(`No tensor ${name}.`);
      const bytes = file.subarray(entry.offset, entry.offset + entry.length);
      expect(bytes.toString('hex')).toBe(hex);
      if (entry.dtype) {
        const tensor = await readTensor(entry);
        expect(Buffer.from(tensorBytes(tensor)).toString('hex')).toBe(hex);
        expect(elements(tensor)).toEqual(values.map((value) => expectedElement(value, tensor.dtype === 'int64')));
      } else {
        await expect(readTensor(entry)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_DTYPE' });
        expect(decodeElsewhere(dtype, bytes)).toEqual(values.map((value) => expectedElement(value, dtype === 'U64')));
      }
    }
  });
});

describe('refuses with a code, the file and the fault', () => {
  test.each(cases.invalid)('$file: $why', async ({ file }) => {
    const refusal = openSafetensors(join(edge, file));
    await expect(refusal).rejects.toMatchObject({
      code: expect.stringMatching(/^GVU_SAFETENSORS_(HEADER|TENSORS|SIZE)$/),
      message: expect.stringContaining(basename(file)),
    });
  });
});

test.each(fixtureFiles('.safetensors'))('%s/%s is written again byte for byte', async (name, file) => {
  const path = join(fixture(name), file);
  const { metadata, tensors } = await openSafetensors(path);
  const again = encodeSafetensors(await readTensors(tensors.values()), metadata);
  expect(Buffer.compare(again, readFileSync(path))).toBe(0);
});

test.each(fixtureFiles('.index.json'))('%s/%s opens as one checkpoint', async (name, file) => {
  const { weight_map: weightMap } = JSON.parse(readFileSync(join(fixture(name), file), 'utf8'));
  const { tensors } = await openCheckpoint(fixture(name));
  const found = Object.fromEntries([...tensors].map(([tensor, entry]) => [tensor, basename(entry.file)]));
  expect(found).toEqual(weightMap);
});

/** Files directly in a fixture's directory: those of `safetensors-edge` lie deeper. */
function fixtureFiles(suffix: string): readonly (readonly [fixture: string, file: string])[] {
  return fixtureNames().flatMap((name) =>
    readdirSync(fixture(name))
      .filter((file) => file.endsWith(suffix))
      .map((file) => [name, file] as const),
  );
}

function elements(tensor: TensorData): readonly (number | bigint)[] {
  return tensor.dtype === 'int64' ? Array.from(tensor.data) : toNumbers(tensor);
}

/** A value of cases.json: a number, a boolean, or the text of what JSON has no number for. */
function expectedElement(value: Value, is64Bit: boolean): number | bigint {
  return is64Bit ? BigInt(value) : Number(value);
}

/** The values of dtypes that the package has none for, by their definitions. */
function decodeElsewhere(dtype: string, bytes: Uint8Array): readonly (number | bigint)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: Readonly<Record<string, (offset: number) => number | bigint>> = {
    I8: (offset) => view.getInt8(offset),
    I16: (offset) => view.getInt16(offset, true),
    U16: (offset) => view.getUint16(offset, true),
    U32: (offset) => view.getUint32(offset, true),
    U64: (offset) => view.getBigUint64(offset, true),
    F8_E4M3: (offset) => decodeF8(view.getUint8(offset), { mantissaBits: 3, bias: 7 }),
    F8_E5M2: (offset) => decodeF8(view.getUint8(offset), { mantissaBits: 2, bias: 15 }),
  };
  const decode = read[dtype];
  if (!decode) throw new Error(`${dtype} has no values here: decode it in this test.`);
  const step = Number(/\d+/.exec(dtype)) / 8;
  return Array.from({ length: bytes.length / step }, (_, i) => decode(i * step));
}

/** OCP 8-bit floats: E5M2 has IEEE 754's infinities and NaN, E4M3 has only NaN, at the last pattern. */
function decodeF8(bits: number, { mantissaBits, bias }: { mantissaBits: number; bias: number }): number {
  const magnitude = bits & 0x7f;
  const infinity = mantissaBits === 2 ? 0x7c : 0x7f;
  const sign = bits & 0x80 ? -1 : 1;
  if (magnitude >= infinity) return magnitude === 0x7c ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const exponent = magnitude >>> mantissaBits;
  const fraction = (magnitude & ((1 << mantissaBits) - 1)) / (1 << mantissaBits);
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}
