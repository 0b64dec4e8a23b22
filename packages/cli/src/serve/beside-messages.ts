/**
 * What a process that trains and the server beside it tell each other. The server calls the services that only the trainer can give:
 * steering, and the model with what it has learned so far.
 */
import { GvuError, isGvuError, statementOf } from '@gvu/core';
import type { ModelService, RunControl, ServerOptions } from '@gvu/server';
import type { ListenOptions } from './options.ts';

/** The services that the server may call, by name. */
export interface Services {
  readonly control: Omit<RunControl, 'start' | 'steered'>;
  readonly models: ModelService;
}

export interface Beginning {
  /** Folder of the runs. */
  readonly runs: string;
  readonly listen: ListenOptions;
  readonly plugins: ReturnType<NonNullable<ServerOptions['plugins']>>;
  /** The run that can be steered and drawn with; absent when there is none. */
  readonly run?: string;
}

export type ToServer =
  | { readonly begin: Beginning }
  | { readonly id: number; readonly phase: 'queued' | 'running' }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: SentError };

export interface Call {
  readonly id: number;
  readonly service: keyof Services;
  readonly method: string;
  readonly argument: unknown;
}

export type ToTrainer =
  | { readonly opened: readonly string[] }
  | { readonly failed: SentError }
  | { readonly call: Call }
  | { readonly abort: number };

/** An error on its way: without a code it is none of ours. */
export interface SentError {
  readonly code?: GvuError['code'];
  readonly statement: string;
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** What was underneath. */
  readonly cause?: string;
}

export function sentError(thrown: unknown): SentError {
  if (!isGvuError(thrown)) {
    return thrown instanceof Error
      ? { statement: thrown.message, cause: thrown.stack ?? '' }
      : { statement: String(thrown) };
  }
  const { code, hint, details, cause } = thrown;
  return {
    ...{ code, statement: statementOf(thrown), hint, details: plain(details) },
    ...(cause !== undefined && { cause: String(cause) }),
  };
}

export function receivedError({ code, statement, hint, details, cause: text }: SentError): Error {
  const cause = text === undefined ? undefined : new Error(text);
  if (code === undefined) return new Error(statement, { cause });
  return new GvuError(code, statement, { ...(hint !== undefined && { hint }), ...(details && { details }), cause });
}

/** What JSON cannot hold is left out, in part or, where it cannot be written at all, as a whole. */
function plain(details: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    return details && JSON.parse(JSON.stringify(details));
  } catch {
    return undefined;
  }
}
