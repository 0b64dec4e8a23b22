/** Archives above 4 GiB need zip64 records, which no fixture is large enough to have: here a small archive has them all. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataOffset, readAt, readZipDirectory } from './zip-directory.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gvu-zip-'));
});
afterAll(() => rm(scratch, { recursive: true }));

const wide = 0xffffffff;

/** Little-endian fields: [bytes, value]. */
function fields(...list: readonly (readonly [2 | 4 | 8, number])[]): Buffer {
  return Buffer.concat(
    list.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      if (bytes === 8) field.writeBigUInt64LE(BigInt(value));
      else field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );
}

/** Every length and offset is in the zip64 fields alone. `lies` changes what they say of the first entry. */
function zip64(files: Readonly<Record<string, string>>, lies: { length?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let end = 0;
  for (const [name, text] of Object.entries(files)) {
    const data = Buffer.from(text);
    const header = fields(
      [4, 0x04034b50],
      [2, 45],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, 0],
      [4, wide],
      [4, wide],
      [2, name.length],
      [2, 4],
    );
    const local = Buffer.concat([header, Buffer.from(name), fields([2, 0xcafe], [2, 0])]);
    const length = (end === 0 ? lies.length : undefined) ?? data.length;
    const extra = fields([2, 0xcafe], [2, 0], [2, 1], [2, 24], [8, length], [8, length], [8, end]);
    entries.push(
      fields([4, 0x02014b50], [2, 45], [2, 45], [2, 0], [2, 0], [4, 0], [4, 0], [4, wide], [4, wide]),
      fields([2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, wide]),
      Buffer.from(name),
      extra,
    );
    parts.push(local, data);
    end += local.length + data.length;
  }
  const directory = Buffer.concat(entries);
  const count = Object.keys(files).length;
  return Buffer.concat([
    ...parts,
    directory,
    fields(
      [4, 0x06064b50],
      [8, 44],
      [2, 45],
      [2, 45],
      [4, 0],
      [4, 0],
      [8, count],
      [8, count],
      [8, directory.length],
      [8, end],
    ),
    fields([4, 0x07064b50], [4, 0], [8, end + directory.length], [4, 1]),
    fields([4, 0x06054b50], [2, 0], [2, 0], [2, 0xffff], [2, 0xffff], [4, wide], [4, wide], [2, 0]),
  ]);
}

const files = { 'a/data.pkl': 'a pickle', 'a/data/0': 'some bytes', 'a/empty': '' };

async function contents(bytes: Buffer): Promise<Record<string, string>> {
  const path = join(scratch, 'archive.pt');
  await writeFile(path, bytes);
  await using handle = await open(path, 'r');
  const found: Record<string, string> = {};
  for (const [name, entry] of await readZipDirectory(handle, path)) {
    const offset = await dataOffset(handle, entry, path);
    found[name] = (await readAt(handle, { offset, end: offset + entry.length })).toString();
  }
  return found;
}

it('reads lengths and offsets of more than 32 bits', async () => {
  expect(await contents(zip64(files))).toEqual(files);
});

it.each([
  ['a length beyond the file', zip64(files, { length: 2 ** 40 })],
  ['a length beyond all files', zip64(files, { length: Number.MAX_SAFE_INTEGER })],
  ['no locator', Buffer.concat([zip64(files).subarray(0, -42), zip64(files).subarray(-22)])],
  [
    'a count that is wrong',
    Buffer.concat([zip64(files).subarray(0, -22 - 20 - 24), fields([8, 9]), zip64(files).subarray(-22 - 20 - 16)]),
  ],
])('refuses %s', async (_, bytes) => {
  await expect(contents(bytes)).rejects.toMatchObject({ code: 'GVU_TORCH_ZIP' });
});
