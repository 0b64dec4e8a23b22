/**
 * One error class for the whole product, and the tables of its codes.
 *
 * Every package declares its codes once, in its own `errors.ts`, with `defineErrors`. A code is stable: it may be matched
 * by programs, it is never reused for another meaning, and `docs/reference/errors.md` explains each one (a test compares
 * the tables with that page in both directions).
 */

/** `GVU_` and then upper-case words. */
export type ErrorCode = `GVU_${string}`;

export interface ErrorOptions {
  /** What the reader can do about it: one sentence in the imperative. */
  hint?: string;
  /** The error underneath, kept whole. */
  cause?: unknown;
  /** Machine-readable facts, such as the list of every problem that a validation found. */
  details?: Readonly<Record<string, unknown>>;
}

/** The error that every package of GvU throws. Match on `code` (or with `isGvuError`), never with `instanceof` across packages. */
export class GvuError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(
      options.hint ? `${code}: ${message} ${options.hint}` : `${code}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'GvuError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }
}

/** True for a `GvuError`, also one that another copy of this package made; with `code`, only for that code. */
export function isGvuError(value: unknown, code?: ErrorCode): value is GvuError {
  return (
    value instanceof Error &&
    value.name === 'GvuError' &&
    'code' in value &&
    (code === undefined || value.code === code)
  );
}

/** What an error of ours says happened: its message without the code before and the hint after it. */
export function statementOf({ code, hint, message }: GvuError): string {
  const full = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  return hint !== undefined && full.endsWith(` ${hint}`) ? full.slice(0, -hint.length - 1) : full;
}

/** The codes of one package, each with the one line that says what it means. */
export interface ErrorTable<Code extends ErrorCode> {
  readonly codes: Readonly<Record<Code, string>>;
  /** Makes (does not throw) an error of this table: what happened, with the value got; the hint says what to do. */
  error(code: Code, message: string, options?: ErrorOptions): GvuError;
}

/** Declares the codes of a package. */
export function defineErrors<Code extends ErrorCode>(codes: Readonly<Record<Code, string>>): ErrorTable<Code> {
  return { codes, error: (code, message, options) => new GvuError(code, message, options) };
}
