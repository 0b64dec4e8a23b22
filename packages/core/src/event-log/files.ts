/** What the parts of the event log share about files: error codes of the system and durable directories. */
import { open } from 'node:fs/promises';
import { coreErrors } from '../core-errors.ts';
import type { GvuError } from '../errors.ts';

/** True for an error of the operating system with this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** GVU_LOG_WRITE: what was not written, and what the operating system says of it. */
export function writeFailure(what: string, cause: unknown): GvuError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return coreErrors.error('GVU_LOG_WRITE', `${what} ${reason}.`, {
    hint: 'Everything acknowledged before is safe. Free the cause (disk full, no permission) and try again.',
    cause,
  });
}

/** Makes new and renamed entries of a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // directories cannot be opened there, and NTFS journals their entries
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
