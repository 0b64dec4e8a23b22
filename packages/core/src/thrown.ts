import { inspect } from 'node:util';
import { isGvuError, statementOf } from './errors.ts';

/**
 * One line for a thrown value, which need not be an Error: `TypeError: x is not a function`. Never throws itself, however
 * the value was made: strangers' code is reported with it.
 */
export function describeThrown(thrown: unknown): string {
  try {
    return describe(thrown);
  } catch {
    return 'a value that cannot be described';
  }
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return inspect(thrown, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  // Our own messages begin with their code, which says more than the name of the class.
  if (thrown.message === '' || thrown.name === 'GvuError') return thrown.message || thrown.name;
  return `${thrown.name}: ${thrown.message}`;
}

/** Why something failed, to be put into a longer sentence: without our code and hint, and without the full stop at the end. */
export function reasonOf(thrown: unknown): string {
  const text = isGvuError(thrown) ? statementOf(thrown) : thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/[\s.:]+$/, '');
}
