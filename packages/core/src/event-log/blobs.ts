/**
 * Content-addressed files beside an event log: `blobs/<sha256>.<extension>`.
 *
 * A blob has its final name only when it is complete and on the disk, so a name in an event always leads to the whole
 * bytes. The same bytes are stored once. Blobs are written by the holder of the log only (`EventLog.putBlob`).
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFile, readFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { coreErrors } from '../core-errors.ts';
import { syncDirectory } from '../sync-directory.ts';
import { hasCode, writeFailure } from './files.ts';

/** `<sha256>.<extension>`: how an event refers to a blob. */
export type BlobName = string;

const namePattern = /^[0-9a-f]{64}\.[a-z0-9]{1,8}$/;
/** One promise a file; the one in `fs/promises` takes one for each step of reading. */
const readWhole = promisify(readFile);
const temporarySuffix = '.tmp';

/**
 * The path of a blob in the directory of a run.
 * @throws GVU_BLOB_NAME
 */
export function blobPath(directory: string, name: BlobName): string {
  if (!namePattern.test(name)) {
    throw coreErrors.error('GVU_BLOB_NAME', `${JSON.stringify(name)} is not the name of a blob.`, {
      hint: 'Use <sha256>.<extension>, with one to eight lower-case letters or digits as extension.',
    });
  }
  return join(directory, 'blobs', name);
}

/**
 * The bytes of a blob, checked against its name.
 * @throws GVU_BLOB_NAME, GVU_BLOB_MISSING, GVU_BLOB_CORRUPT
 */
export async function readBlob(directory: string, name: BlobName): Promise<Buffer> {
  const path = blobPath(directory, name);
  return checked(path, name, await readWhole(path).catch((cause) => Promise.reject(unreadable(path, cause))));
}

/**
 * As `readBlob`, at once. For what was written a moment ago: the system still has it in memory, and hands it over in less time than
 * it takes to ask another thread for it.
 */
export function readBlobSync(directory: string, name: BlobName): Buffer {
  const path = blobPath(directory, name);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return checked(path, name, bytes);
}

function unreadable(path: string, cause: unknown): unknown {
  if (!hasCode(cause, 'ENOENT')) return cause;
  return coreErrors.error('GVU_BLOB_MISSING', `There is no blob at ${path}.`, {
    hint: 'Copy the directory blobs along with the event log.',
    cause,
  });
}

function checked(path: string, name: BlobName, bytes: Buffer): Buffer {
  if (name.startsWith(`${sha256(bytes)}.`)) return bytes;
  throw coreErrors.error(
    'GVU_BLOB_CORRUPT',
    `The ${bytes.length} bytes at ${path} do not have the hash in their name.`,
    { hint: 'Restore the file from a backup, or delete it.' },
  );
}

/** Stores bytes and returns their name once they are on the disk. */
export async function writeBlob(directory: string, bytes: Uint8Array, extension: string): Promise<BlobName> {
  const name = `${sha256(bytes)}.${extension}`;
  const path = blobPath(directory, name);
  const temporary = `${path}.${randomUUID()}${temporarySuffix}`;
  try {
    if (await hasSize(path, bytes.length)) return name;
    await mkdir(join(directory, 'blobs'), { recursive: true });
    await writeDurably(temporary, bytes);
    await rename(temporary, path);
    await syncDirectory(join(directory, 'blobs'));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined); // the next opening removes it
    throw writeFailure(`The blob ${name} was not stored.`, cause);
  }
  return name;
}

/** Removes what a writer that was killed has left half written. */
export async function removeTemporaryBlobs(directory: string): Promise<void> {
  const blobs = join(directory, 'blobs');
  const names = await readdir(blobs).catch((error) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  for (const name of names) {
    if (name.endsWith(temporarySuffix)) await rm(join(blobs, name), { force: true });
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function hasSize(path: string, size: number): Promise<boolean> {
  try {
    return (await stat(path)).size === size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
