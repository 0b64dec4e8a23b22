/** What the parts of the event log share about files: the error codes of the system. */
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
