/**
 * The events of a run and their form on disk: one JSON object a line, in a file that only grows.
 *
 * Line n (from 0) holds the event with sequence number n, so a position in the log is a count of lines and needs no
 * index. Line 0 says which log this is: its `epoch` is a random id that no other log has.
 */
import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { isRecord, type JsonValue } from '../json-value.ts';

export interface LogEvent {
  /** 0, 1, 2, ... without a gap. */
  readonly seq: number;
  /** When it was appended, ISO 8601 in UTC with milliseconds. */
  readonly time: string;
  /** Dotted words such as `rollout.scored`; `log.` is reserved for the log itself. */
  readonly type: string;
  readonly data: JsonValue;
}

/** Type of line 0; its data is `{ format, epoch }`. */
export const createdType = 'log.created';
/** Type of the event that tells of a cut torn tail; its data is `{ offset, bytes, blob }`. */
export const repairedType = 'log.repaired';

const format = 'gvu-events/1';

/** The file of the events in the directory of a run. */
export function eventsPath(directory: string): string {
  return join(directory, 'events.jsonl');
}

export function headerData(epoch: string): JsonValue {
  return { format, epoch };
}

/** The epoch of a log by its first event, or undefined if that is not the header of one. */
export function epochOf(event: LogEvent): string | undefined {
  const { seq, type, data } = event;
  if (seq !== 0 || type !== createdType || !isRecord(data) || data.format !== format) return undefined;
  return typeof data.epoch === 'string' ? data.epoch : undefined;
}

/** The event in a line without its newline, or undefined if there is none. */
export function parseEvent(line: Buffer): LogEvent | undefined {
  // JSON may be broken over lines, an event may not.
  if (!isUtf8(line) || line.includes('\n')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return undefined;
  }
  return isEvent(value) ? value : undefined;
}

function isEvent(value: unknown): value is LogEvent {
  return (
    isRecord(value) &&
    Number.isSafeInteger(value.seq) &&
    typeof value.time === 'string' &&
    typeof value.type === 'string' &&
    'data' in value
  );
}
