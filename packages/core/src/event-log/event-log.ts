/**
 * The writer of a run's event log: `events.jsonl`, append-only, and its blobs.
 *
 * `append` hands the event to the operating system before it returns, so an event survives the death of the process from
 * then on; `flush` (and a timer) makes it survive a power failure. A log that is opened again continues its numbers; a
 * torn last line, left by a crash, is cut off, kept as a blob and reported as an event. One process writes at a time;
 * readers (`tail.ts`) need no permission and cannot disturb it.
 */
import { randomUUID } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { coreErrors } from '../core-errors.ts';
import { isGvuError } from '../errors.ts';
import type { JsonValue } from '../json-value.ts';
import { syncDirectory } from '../sync-directory.ts';
import { timerProblem } from '../timer.ts';
import { type BlobName, removeTemporaryBlobs, writeBlob } from './blobs.ts';
import { corruptLine, readBatch, readEpoch, requireTornSize, start } from './cursor.ts';
import { createdType, eventsPath, headerData, parseEvent, repairedType } from './event.ts';
import { writeFailure } from './files.ts';
import { acquireWriterLock, type WriterLock } from './writer-lock.ts';

export interface EventLogOptions {
  /** At most how long what was appended may be lost by a power failure: 1 to 2^31 - 1, default 1000. */
  flushEveryMs?: number | undefined;
}

/** Larger events would make every reader buffer them; such data belongs into a blob. */
const maxEventBytes = 16 * 2 ** 20;

const typePattern = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$/;

export class EventLog implements AsyncDisposable {
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #lock: WriterLock;
  readonly #timer: NodeJS.Timeout;
  #epoch = '';
  #end = start;
  #flushedBytes = 0;
  #flushing: Promise<void> | undefined;
  #failure: unknown;
  #closing: Promise<void> | undefined;

  private constructor(directory: string, parts: { file: FileHandle; lock: WriterLock; flushEveryMs: number }) {
    this.#directory = directory;
    this.#file = parts.file;
    this.#lock = parts.lock;
    // A failure is kept and thrown by the next call.
    this.#timer = setInterval(() => void this.flush().catch(() => undefined), parts.flushEveryMs).unref();
  }

  /**
   * Opens the log in a directory, which is made if necessary, and repairs what a crash left.
   * @throws GVU_LOG_OPTIONS, GVU_LOG_LOCKED, GVU_LOG_CORRUPT, GVU_LOG_WRITE; the events are as they were then.
   */
  static async open(directory: string, { flushEveryMs = 1000 }: EventLogOptions = {}): Promise<EventLog> {
    const problem = timerProblem(flushEveryMs);
    if (problem !== undefined) throw coreErrors.error('GVU_LOG_OPTIONS', `flushEveryMs ${problem}`);
    let lock: WriterLock | undefined;
    let file: FileHandle | undefined;
    let log: EventLog | undefined;
    try {
      await mkdir(directory, { recursive: true });
      lock = acquireWriterLock(directory);
      file = await open(eventsPath(directory), 'a+');
      log = new EventLog(directory, { file, lock, flushEveryMs });
      await log.#recover();
      return log;
    } catch (cause) {
      if (log !== undefined) clearInterval(log.#timer);
      await file?.close();
      lock?.release();
      throw isGvuError(cause) ? cause : writeFailure('The event log could not be opened.', cause);
    }
  }

  /** The random id of this log; positions of another log do not apply to it. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The sequence number that the next event will get. */
  get nextSeq(): number {
    return this.#end.seq;
  }

  /**
   * Appends an event and returns its sequence number; from then on the death of this process cannot lose it.
   * `type` is of lower-case dotted words. `data` is written as `JSON.stringify` does it: NaN and infinities become null.
   * @throws GVU_LOG_EVENT when it cannot be an event, GVU_LOG_WRITE when the operating system refuses it (nothing of it
   * is written, the log stays usable), GVU_LOG_CLOSED after closing or after a failure that left the file unusable.
   */
  append(type: string, data: JsonValue): number {
    if (!typePattern.test(type) || type.startsWith('log.')) {
      throw coreErrors.error('GVU_LOG_EVENT', `${JSON.stringify(type)} cannot be the type of an event.`, {
        hint: 'Use lower-case words joined by dots, of which the first is not "log".',
      });
    }
    return this.#append(type, data);
  }

  /**
   * Stores bytes under their hash, with an extension of one to eight lower-case letters or digits, and returns the name
   * for use in events. The blob is on the disk by then. `bytes` must not change until it is: they are not copied, and the
   * name is the hash of what they were at the call.
   * @throws GVU_BLOB_NAME, GVU_LOG_WRITE, GVU_LOG_CLOSED
   */
  async putBlob(bytes: Uint8Array, extension: string): Promise<BlobName> {
    this.#requireOpen();
    return await writeBlob(this.#directory, bytes, extension);
  }

  /**
   * Waits until everything appended so far survives a power failure. Await it after the events that matter for resuming.
   * @throws GVU_LOG_WRITE; the log is closed for writing then, because it is unknown what reached the disk.
   */
  async flush(): Promise<void> {
    const target = this.#end.position;
    while (this.#flushedBytes < target) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#flushing ??= this.#flushFile();
      await this.#flushing;
    }
  }

  /** Flushes, closes the file and lets another process write. Every further call settles as the first does. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    try {
      await this.flush();
    } finally {
      await this.#file.close().finally(() => this.#lock.release());
    }
  }

  async #flushFile(): Promise<void> {
    const reached = this.#end.position;
    try {
      await this.#file.datasync();
      this.#flushedBytes = reached;
    } catch (cause) {
      this.#failure = writeFailure('The event log was not flushed to the disk.', cause);
      throw this.#failure;
    } finally {
      this.#flushing = undefined;
    }
  }

  #append(type: string, data: JsonValue): number {
    this.#requireOpen();
    // First of all: a getter or `toJSON` in the data may itself append.
    const json = stringify(type, data);
    const { seq } = this.#end;
    const head = JSON.stringify({ seq, time: new Date().toISOString(), type });
    const line = Buffer.from(`${head.slice(0, -1)},"data":${json}}\n`);
    if (line.length > maxEventBytes) {
      throw coreErrors.error('GVU_LOG_EVENT', `The event ${type} would have ${line.length} bytes.`, {
        hint: `Store its data as a blob: an event has at most ${maxEventBytes} bytes.`,
      });
    }
    this.#write(line, `The event ${type} was not appended.`);
    this.#end = { position: this.#end.position + line.length, seq: seq + 1 };
    return seq;
  }

  /** Writes all of `bytes` or, as far as that is possible, nothing. */
  #write(bytes: Uint8Array, onFailure: string): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file.fd, bytes, done);
    } catch (cause) {
      const failure = writeFailure(onFailure, cause);
      try {
        ftruncateSync(this.#file.fd, this.#end.position);
      } catch {
        this.#failure = failure;
      }
      throw failure;
    }
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) {
      throw coreErrors.error('GVU_LOG_CLOSED', 'The event log has been closed.', { hint: 'Append before closing it.' });
    }
    if (this.#failure !== undefined) {
      throw coreErrors.error('GVU_LOG_CLOSED', 'The event log is closed since a write failed.', {
        hint: 'Free the cause and open the log again: it continues after the last complete event.',
        cause: this.#failure,
      });
    }
  }

  /** Reads the whole log, repairs its end, and writes the header of a new one. */
  async #recover(): Promise<void> {
    await removeTemporaryBlobs(this.#directory);
    for (let more = true; more; ) {
      const { events, next } = await readBatch(this.#file, this.#end);
      this.#end = next;
      more = events.length > 0;
    }
    const repaired = await this.#repairTail();
    if (this.#end.seq === 0) {
      this.#append(createdType, headerData(randomUUID()));
      await syncDirectory(this.#directory);
    }
    this.#epoch = (await readEpoch(this.#file)) ?? '';
    if (repaired !== undefined) this.#append(repairedType, repaired);
    await this.flush();
  }

  /** Completes or cuts off what follows the last complete event; returns what is to be reported of a cut. */
  async #repairTail(): Promise<JsonValue | undefined> {
    const { position: offset, seq } = this.#end;
    const bytes = (await this.#file.stat()).size - offset;
    if (bytes === 0) return undefined;
    requireTornSize(this.#end, bytes);
    const { buffer: tail } = await this.#file.read(Buffer.alloc(bytes), 0, bytes, offset);
    if (parseEvent(tail)?.seq === seq) {
      // Only the newline is missing.
      this.#write(Buffer.from('\n'), 'The last event was not completed.');
      this.#end = { position: offset + bytes + 1, seq: seq + 1 };
      return undefined;
    }
    // A file of whole lines of which none is an event is not a log with a torn header, but something else.
    if (seq === 0 && tail.includes('\n')) throw corruptLine(this.#end, 'is not the header of an event log');
    const blob = await writeBlob(this.#directory, tail, 'bin');
    await this.#file.truncate(offset);
    return { offset, bytes, blob };
  }
}

function stringify(type: string, data: JsonValue): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (cause) {
    throw notJson(type, cause instanceof Error ? cause.message : String(cause), cause);
  }
  // Undefined, a function, a symbol, or what `toJSON` made one of them.
  if (json === undefined) throw notJson(type, `it is ${typeof data}`);
  return json;
}

function notJson(type: string, reason: string, cause?: unknown): Error {
  return coreErrors.error('GVU_LOG_EVENT', `The data of the event ${type} is not JSON: ${reason}.`, { cause });
}
