import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { blobPath, readBlob, readBlobSync } from './blobs.ts';
import { EventLog } from './event-log.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gvu-blobs-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
// SHA-256 of "abc": FIPS 180-4, example.
const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('a blob is named by its hash and comes back', async () => {
  await using log = await EventLog.open(directory);
  const name = await log.putBlob(Buffer.from('abc'), 'png');
  expect(name).toBe(`${abc}.png`);
  expect(await readBlob(directory, name)).toEqual(Buffer.from('abc'));
  expect(await readdir(join(directory, 'blobs'))).toEqual([name]);
});

test('an empty blob is one too', async () => {
  await using log = await EventLog.open(directory);
  expect(await readBlob(directory, await log.putBlob(new Uint8Array(0), 'bin'))).toHaveLength(0);
});

test('the same bytes are stored once, also by many at once', async () => {
  await using log = await EventLog.open(directory);
  const name = await log.putBlob(Buffer.from('abc'), 'bin');
  await utimes(blobPath(directory, name), 1, 1);
  const names = await Promise.all(Array.from({ length: 8 }, () => log.putBlob(Buffer.from('abc'), 'bin')));
  expect(new Set(names)).toEqual(new Set([name]));
  expect((await stat(blobPath(directory, name))).mtimeMs).toBe(1000);
  expect(await readdir(join(directory, 'blobs'))).toHaveLength(1);
});

test('a blob that was cut short is written again', async () => {
  await using log = await EventLog.open(directory);
  const name = await log.putBlob(Buffer.from('abc'), 'bin');
  await writeFile(blobPath(directory, name), 'a');
  await expect(readBlob(directory, name)).rejects.toThrow(code('GVU_BLOB_CORRUPT'));
  await log.putBlob(Buffer.from('abc'), 'bin');
  expect(await readBlob(directory, name)).toEqual(Buffer.from('abc'));
});

test('what a killed writer left half written is removed at the next opening', async () => {
  await mkdir(join(directory, 'blobs'));
  await writeFile(join(directory, 'blobs', `${abc}.png.0000.tmp`), 'ab');
  await writeFile(join(directory, 'blobs', `${abc}.png`), 'abc');
  await using _log = await EventLog.open(directory);
  expect(await readdir(join(directory, 'blobs'))).toEqual([`${abc}.png`]);
});

test('changed bytes and missing blobs are errors', async () => {
  await mkdir(join(directory, 'blobs'));
  await writeFile(join(directory, 'blobs', `${abc}.png`), 'abd');
  await expect(readBlob(directory, `${abc}.png`)).rejects.toThrow(code('GVU_BLOB_CORRUPT'));
  await expect(readBlob(directory, `${abc}.jpg`)).rejects.toThrow(code('GVU_BLOB_MISSING'));
});

test('read at once, a blob is checked in the same way', async () => {
  await using log = await EventLog.open(directory);
  const name = await log.putBlob(Buffer.from('abc'), 'png');
  expect(readBlobSync(directory, name)).toEqual(Buffer.from('abc'));
  await writeFile(blobPath(directory, name), 'abd');
  expect(() => readBlobSync(directory, name)).toThrow(code('GVU_BLOB_CORRUPT'));
  expect(() => readBlobSync(directory, `${abc}.jpg`)).toThrow(code('GVU_BLOB_MISSING'));
  expect(() => readBlobSync(directory, `../${abc}.png`)).toThrow(code('GVU_BLOB_NAME'));
});

test.each([
  '',
  abc,
  `${abc}.`,
  `${abc}.PNG`,
  `${abc}.png.tmp`,
  `${abc.toUpperCase()}.png`,
  `${abc.slice(1)}.png`,
  `${abc}.png\n`,
  `../${abc}.png`,
  `../../etc/passwd`,
  `${abc}.p/g`,
])('%j is not the name of a blob', async (name) => {
  await expect(readBlob(directory, name)).rejects.toThrow(code('GVU_BLOB_NAME'));
});

test('an extension that would lead elsewhere is refused', async () => {
  await using log = await EventLog.open(directory);
  for (const extension of ['', '../x', 'p/g', 'PNG', 'toolongext', 'tmp.x']) {
    await expect(log.putBlob(Buffer.from('abc'), extension)).rejects.toThrow(code('GVU_BLOB_NAME'));
  }
});
