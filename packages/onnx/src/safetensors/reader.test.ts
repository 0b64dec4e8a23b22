import { link, mkdir, open, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { isGvuError } from '@gvu/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { openSafetensors, readTensor, readTensors } from './reader.ts';
import { encodeSafetensors, writeSafetensors } from './writer.ts';

/** A file of these header and data bytes, with the header's length in front unless another is declared. */
function fileOf(
  header: string,
  data: Uint8Array = new Uint8Array(0),
  declared = BigInt(Buffer.byteLength(header)),
): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(declared);
  return Buffer.concat([length, Buffer.from(header), data]);
}

describe('what is not such a file', () => {
  test('a path that does not exist, a directory and a device are refused', async () => {
    await using directory = await temporaryDirectory();
    for (const path of [join(directory.path, 'none.safetensors'), directory.path, devNull])
      await expect(openSafetensors(path)).rejects.toMatchObject({
        code: 'GVU_SAFETENSORS_READ',
        message: expect.stringMatching(/ cannot be read: .*[^.]\. Check the path/),
        details: { file: path },
      });
  });

  test.each([
    ['version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'],
    ['PK\x03\x04\0\0\0\0\0\0', 'pickle'],
    ['<!DOCTYPE html><title>404</title>', 'web page'],
    ['{"error":"Repository not found"}', 'downloaded whole'],
  ])('%j gets a hint', async (content, hint) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    await writeFile(path, content, 'latin1');
    await expect(openSafetensors(path)).rejects.toMatchObject({
      code: 'GVU_SAFETENSORS_HEADER',
      hint: expect.stringContaining(hint),
    });
  });

  test.each([100_000_000n, 2n ** 53n + 1n, 2n ** 64n - 1n])(
    'a declared header of %d bytes is not allocated',
    async (declared) => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'x.safetensors');
      await writeFile(path, fileOf('{}', undefined, declared));
      const before = process.memoryUsage().arrayBuffers;
      await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_HEADER' });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    },
  );

  test('any file with any one byte changed, removed or added is refused with a code, or read within its bounds', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    const tensors = {
      a: tensorData('float32', [2], [1, 2]),
      b: tensorData('int64', [1], [3]),
      c: tensorData('bool', [2], [0, 1]),
    };
    const valid = encodeSafetensors(tensors, { format: 'pt' });
    const edits = fc.record({
      at: fc.nat(valid.length - 1),
      remove: fc.nat(1),
      insert: fc.uint8Array({ maxLength: 1 }),
    });
    await fc.assert(
      fc.asyncProperty(edits, async ({ at, remove, insert }) => {
        await writeFile(path, Buffer.concat([valid.subarray(0, at), insert, valid.subarray(at + remove)]));
        const size = valid.length - remove + insert.length;
        try {
          const opened = await openSafetensors(path);
          for (const { offset, length } of opened.tensors.values()) expect(offset + length).toBeLessThanOrEqual(size);
          await readTensors(opened.tensors.values());
        } catch (error) {
          if (!isGvuError(error)) throw error;
        }
      }),
      { seed: 20261123, numRuns: 400 },
    );
  });
});

describe('opening', () => {
  test('resolves links, so that entries name the real file', async () => {
    await using directory = await temporaryDirectory();
    const real = join(directory.path, 'real.bin');
    await writeSafetensors(real, { a: tensorData('uint8', [1], [7]) });
    await symlink('real.bin', join(directory.path, 'link.safetensors'));
    const { file, tensors } = await openSafetensors(join(directory.path, 'link.safetensors'));
    expect([file, tensors.get('a')?.file]).toEqual([real, real]);
  });

  test('reads the header alone, also of a file beyond 4 GiB, and tensors at such offsets', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'sparse.safetensors');
    const gap = 5 * 2 ** 30;
    const header = JSON.stringify({
      gap: { dtype: 'U8', shape: [gap], data_offsets: [0, gap] },
      last: { dtype: 'F32', shape: [1], data_offsets: [gap, gap + 4] },
    });
    await writeFile(path, fileOf(header));
    await truncate(path, 8 + header.length + gap);
    await using file = await open(path, 'r+');
    await file.write(Buffer.from(Float32Array.of(2.5).buffer), 0, 4, 8 + header.length + gap);
    const before = process.memoryUsage().arrayBuffers;
    const { tensors } = await openSafetensors(path);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    const last = tensors.get('last');
    expect(last?.offset).toBe(8 + header.length + gap);
    expect(last && toNumbers(await readTensor(last))).toEqual([2.5]);
  });
});

describe('reading', () => {
  test('takes tensors of several files, each at an odd offset', async () => {
    await using directory = await temporaryDirectory();
    const values = Buffer.alloc(13);
    values.writeFloatLE(1.5, 1);
    values.writeDoubleLE(-2.25, 5);
    const header = JSON.stringify({
      odd: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      x: { dtype: 'F32', shape: [], data_offsets: [1, 5] },
      y: { dtype: 'F64', shape: [1, 1], data_offsets: [5, 13] },
    });
    const [first, second] = [join(directory.path, '1.safetensors'), join(directory.path, '2.safetensors')];
    await writeFile(first, fileOf(header, values));
    await writeSafetensors(second, { z: tensorData('int64', [2], [2n ** 60n, -1]) });
    const entries = [
      ...(await openSafetensors(first)).tensors.values(),
      ...(await openSafetensors(second)).tensors.values(),
    ];
    const tensors = await readTensors(entries.reverse());
    expect(tensors.get('x')).toEqual(tensorData('float32', [], [1.5]));
    expect(tensors.get('y')).toEqual(tensorData('float64', [1, 1], [-2.25]));
    expect(tensors.get('z')).toEqual(tensorData('int64', [2], [2n ** 60n, -1]));
    expect(tensors.size).toBe(4);
  });

  test('refuses tensors of one name in two files', async () => {
    await using directory = await temporaryDirectory();
    const paths = ['1', '2'].map((name) => join(directory.path, `${name}.safetensors`));
    const entries = [];
    for (const path of paths) {
      await writeSafetensors(path, { w: tensorData('uint8', [1], [1]) });
      entries.push(...(await openSafetensors(path)).tensors.values());
    }
    await expect(readTensors(entries)).rejects.toMatchObject({
      code: 'GVU_SAFETENSORS_NAMES',
      details: { problems: [expect.stringMatching(/^'w' of '.*1\.safetensors' and of '.*2\.safetensors'$/)] },
    });
    // The same one twice is no contradiction.
    expect((await readTensors(entries.slice(0, 1).flatMap((entry) => [entry, entry]))).size).toBe(1);
  });

  test('names every tensor whose dtype has no values', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    const header = JSON.stringify({
      scale: { dtype: 'F8_E8M0', shape: [2], data_offsets: [0, 2] },
      short: { dtype: 'I16', shape: [1], data_offsets: [2, 4] },
    });
    await writeFile(path, fileOf(header, new Uint8Array(4)));
    const { tensors } = await openSafetensors(path);
    await expect(readTensors(tensors.values())).rejects.toMatchObject({
      code: 'GVU_SAFETENSORS_DTYPE',
      message: expect.stringMatching(/'scale' \(F8_E8M0\).*'short' \(I16\)/),
    });
  });

  test('refuses a BOOL that is neither 0 nor 1', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    await writeFile(path, fileOf('{"m":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}', Uint8Array.of(1, 2)));
    const { tensors } = await openSafetensors(path);
    await expect(readTensors(tensors.values())).rejects.toMatchObject({ code: 'GVU_TENSOR_DATA' });
  });

  test('notices a file that was cut or removed after it was opened, before allocating', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'x.safetensors');
    await writeSafetensors(path, { a: tensorData('float32', [4], [1, 2, 3, 4]) });
    const { tensors } = await openSafetensors(path);
    const bytes = await readFile(path);
    await truncate(path, bytes.length - 1);
    await expect(readTensors(tensors.values())).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_SIZE' });
    const elsewhere = [...tensors.values()].map((entry) => ({ ...entry, file: join(directory.path, 'gone') }));
    await expect(readTensors(elsewhere)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_READ' });
  });

  test('works through a hard link and a directory with odd characters in its name', async () => {
    await using directory = await temporaryDirectory();
    const odd = join(directory.path, "a b'é日\n%20");
    await mkdir(odd);
    await writeSafetensors(join(directory.path, 'x'), { a: tensorData('uint8', [1], [7]) });
    await link(join(directory.path, 'x'), join(odd, 'y'));
    const { tensors } = await openSafetensors(join(odd, 'y'));
    expect((await readTensors(tensors.values())).get('a')).toEqual(tensorData('uint8', [1], [7]));
  });
});
