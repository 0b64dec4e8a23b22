/** What a client is told of an error: of ours everything that it may know, of others nothing. */
import { isGvuError } from '@gvu/core';
import { serverErrors } from './errors.ts';
import type { Failure } from './protocol/schema.ts';

const longest = 2000;

export function failureOf(thrown: unknown): Failure {
  const known = isGvuError(thrown)
    ? thrown
    : serverErrors.error('GVU_SERVER_INTERNAL', 'The server failed.', { hint: 'Its own log tells why.' });
  const retryAfterMs = known.details?.retryAfterMs;
  return {
    code: known.code,
    message: known.message.slice(known.code.length + 2, longest),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
  };
}
