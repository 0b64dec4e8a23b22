/**
 * Readers of an event log: `readEvents` for what is there, `tailEvents` to follow a log that another process writes.
 *
 * Both deliver complete events only, in order and without a gap, and need nothing but permission to read: the file is
 * the whole interface between writer and readers. A reader that is too slow keeps only itself waiting.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { coreErrors } from '../core-errors.ts';
import { type Cursor, readBatch, readEpoch, seekEvent, start } from './cursor.ts';
import { eventsPath, type LogEvent } from './event.ts';
import { hasCode } from './files.ts';

/** Where to begin: at the first event, after the last one, or at the event with sequence number `offset` of a log. */
export type TailFrom = 'earliest' | 'latest' | { readonly epoch: string; readonly offset: number };

export interface TailOptions {
  /** Default: `earliest`. */
  from?: TailFrom;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
}

/** The events of a log from some position on; each iteration delivers all of them. */
export interface EventTail extends AsyncIterable<LogEvent> {
  readonly epoch: string;
  /** The sequence number of the first event that will be delivered. */
  readonly offset: number;
}

/**
 * All complete events of a log, then ends. A torn last line is left out.
 * @throws GVU_LOG_MISSING, GVU_LOG_CORRUPT (after the events before the damage)
 */
export async function* readEvents(directory: string): AsyncGenerator<LogEvent> {
  const { file } = await openLog(directory);
  try {
    for (let cursor = start; ; ) {
      const { events, next } = await readBatch(file, cursor);
      if (events.length === 0) return;
      yield* events;
      cursor = next;
    }
  } finally {
    await file.close();
  }
}

/**
 * Follows a log: delivers what is there from a position on, then each new event soon after it is appended, until aborted.
 * @throws GVU_LOG_MISSING; GVU_LOG_EPOCH when the position is of another log than the one there, also later, when the log
 * is replaced; GVU_LOG_OFFSET when the position is beyond the end or none at all; GVU_LOG_CORRUPT, also while iterating.
 */
export async function tailEvents(directory: string, options: TailOptions = {}): Promise<EventTail> {
  const { from = 'earliest', signal } = options;
  const { file, epoch } = await openLog(directory);
  let cursor: Cursor;
  try {
    cursor = await findStart(file, from, epoch);
  } finally {
    await file.close();
  }
  return {
    epoch,
    offset: cursor.seq,
    [Symbol.asyncIterator]: () => follow(directory, { epoch, cursor, signal }),
  };
}

async function findStart(file: FileHandle, from: TailFrom, epoch: string): Promise<Cursor> {
  if (from === 'earliest') return start;
  if (from === 'latest') return await seekEvent(file, Number.POSITIVE_INFINITY);
  if (from.epoch !== epoch) throw otherEpoch(from.epoch, epoch);
  if (!Number.isSafeInteger(from.offset) || from.offset < 0) {
    throw coreErrors.error('GVU_LOG_OFFSET', `${from.offset} is not the sequence number of an event.`, {
      hint: 'Give an integer from 0, or read from "earliest" or "latest".',
      details: { offset: from.offset },
    });
  }
  const found = await seekEvent(file, from.offset);
  if (found.seq === from.offset) return found;
  throw coreErrors.error(
    'GVU_LOG_OFFSET',
    `The position ${from.offset} is not in the log, which has ${found.seq} events.`,
    {
      hint: 'Read from "earliest" or "latest".',
      details: { offset: from.offset, events: found.seq },
    },
  );
}

interface Following {
  readonly epoch: string;
  readonly cursor: Cursor;
  readonly signal: AbortSignal | undefined;
}

async function* follow(directory: string, { epoch, cursor, signal }: Following): AsyncGenerator<LogEvent> {
  const changes = new Changes(eventsPath(directory), signal);
  let opened: OpenedLog | undefined;
  try {
    while (!signal?.aborted) {
      // One look at the file whenever it may have changed: a reader shares its processor with the writer.
      const named = await statLog(directory);
      // A run directory that was deleted and made anew has another file under the same name.
      if (opened?.ino !== named.ino || opened.dev !== named.dev || named.size < cursor.position) {
        await opened?.file.close();
        opened = undefined; // closed once only, should the next line fail
        opened = await reopen(directory, epoch, cursor);
      }
      // What is appended from here on is noticed as a change.
      while (cursor.position < named.size) {
        const { events, next } = await readBatch(opened.file, cursor);
        if (events.length === 0) break;
        for (const event of events) {
          if (signal?.aborted) return;
          yield event;
        }
        cursor = next;
      }
      await changes.next();
    }
  } finally {
    changes[Symbol.dispose]();
    await opened?.file.close();
  }
}

interface OpenedLog {
  readonly file: FileHandle;
  readonly ino: number;
  readonly dev: number;
}

async function reopen(directory: string, epoch: string, cursor: Cursor): Promise<OpenedLog> {
  const opened = await openLog(directory);
  try {
    if (opened.epoch !== epoch) throw otherEpoch(epoch, opened.epoch);
    const { size, ino, dev } = await opened.file.stat();
    if (size < cursor.position) {
      throw coreErrors.error(
        'GVU_LOG_OFFSET',
        `The log has only ${size} bytes left; ${cursor.position} had been read.`,
      );
    }
    return { file: opened.file, ino, dev };
  } catch (error) {
    await opened.file.close();
    throw error;
  }
}

/** Opens a log for reading, with its epoch. */
async function openLog(directory: string): Promise<{ file: FileHandle; epoch: string }> {
  let file: FileHandle;
  try {
    file = await open(eventsPath(directory), 'r');
  } catch (cause) {
    throw missing(directory, cause);
  }
  try {
    const epoch = await readEpoch(file);
    if (epoch !== undefined) return { file, epoch };
    throw missing(directory);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function statLog(directory: string): Promise<{ ino: number; dev: number; size: number }> {
  try {
    return await stat(eventsPath(directory));
  } catch (cause) {
    throw missing(directory, cause);
  }
}

/** GVU_LOG_MISSING, unless the cause is another than that there is no file. */
function missing(directory: string, cause?: unknown): unknown {
  if (cause !== undefined && !hasCode(cause, 'ENOENT') && !hasCode(cause, 'ENOTDIR')) return cause;
  return coreErrors.error('GVU_LOG_MISSING', `There is no event log in ${directory}.`, {
    hint: 'Check the path of the run directory.',
    cause,
  });
}

function otherEpoch(expected: string, found: string): Error {
  return coreErrors.error('GVU_LOG_EPOCH', `The position is of the log ${expected}, but the log here is ${found}.`, {
    hint: 'Read from "earliest".',
    details: { expected, found },
  });
}

/** Whichever comes first: notices of the operating system may be late, missing (network drives) or used up. */
const pollMs = 200;

/** Waits for a file to change. */
class Changes implements Disposable {
  readonly #signal: AbortSignal | undefined;
  readonly #watcher: FSWatcher | undefined;
  #changed: boolean = false;
  #wake: () => void = () => undefined;

  constructor(path: string, signal: AbortSignal | undefined) {
    this.#signal = signal;
    signal?.addEventListener('abort', this.#notice);
    try {
      this.#watcher = watch(path, this.#notice);
      this.#watcher.on('error', () => undefined); // polling remains
    } catch {
      // Polling remains.
    }
  }

  readonly #notice = (): void => {
    this.#changed = true;
    this.#wake();
  };

  /** Resolves after a change since the last call, an abort, or some 200 ms. */
  async next(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener('abort', this.#notice);
    this.#watcher?.close();
  }
}
