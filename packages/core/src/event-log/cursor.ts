/**
 * Reads complete, valid events from a position of the log on; the writer, `readEvents` and `tailEvents` all read so.
 *
 * A cursor holds only what has been accepted. An incomplete line is never kept in memory but read again from the file,
 * because a writer that opens the log after a crash cuts it off and writes something else there.
 */
import type { FileHandle } from 'node:fs/promises';
import { coreErrors } from '../core-errors.ts';
import type { GvuError } from '../errors.ts';
import { epochOf, type LogEvent, parseEvent } from './event.ts';

export interface Cursor {
  /** Byte offset of the next event. */
  readonly position: number;
  /** Its sequence number. */
  readonly seq: number;
}

export const start: Cursor = { position: 0, seq: 0 };

const newline = 0x0a;
const chunkBytes = 1 << 18;
/** More than a crash can leave of unfinished events. Node 20 aborts the process over a read of 2 GiB. */
const maxTornBytes = 1 << 26;

/**
 * The next events, some 256 KiB of them; none at the end of the log or before a torn tail, which is what no valid event
 * follows.
 * @throws GVU_LOG_CORRUPT for a line that is not the expected event although valid events follow it, or that is another.
 */
export async function readBatch(file: FileHandle, from: Cursor): Promise<{ events: LogEvent[]; next: Cursor }> {
  const chunk = await readLines(file, from);
  const events: LogEvent[] = [];
  let { position, seq } = from;
  for (const line of linesOf(chunk)) {
    const event = parseEvent(line);
    if (event?.seq !== seq) break;
    events.push(event);
    position += line.length + 1;
    seq++;
  }
  if (events.length === 0 && chunk.length > 0) await requireTornTail(file, from);
  return { events, next: { position, seq } };
}

/** The epoch of the log, or undefined if its first line is not complete. */
export async function readEpoch(file: FileHandle): Promise<string | undefined> {
  const [header] = (await readBatch(file, start)).events;
  if (header === undefined) return undefined;
  const epoch = epochOf(header);
  if (epoch === undefined) throw corruptLine(start, 'is not the header of an event log');
  return epoch;
}

/** Where event `seq` begins, or else the end of the last complete line. Counts lines and does not read them. */
export async function seekEvent(file: FileHandle, seq: number): Promise<Cursor> {
  let { position, seq: at } = start;
  while (at < seq) {
    const chunk = await readLines(file, { position, seq: at });
    if (chunk.length === 0) break;
    for (const line of linesOf(chunk)) {
      if (at === seq) break;
      position += line.length + 1;
      at++;
    }
  }
  return { position, seq: at };
}

/** Returns if nothing from the cursor on is a valid event; a crash explains that, and nothing else does. */
async function requireTornTail(file: FileHandle, from: Cursor): Promise<void> {
  let { position, seq } = from;
  for (;;) {
    const chunk = await readLines(file, { position, seq });
    if (chunk.length === 0) return;
    for (const line of linesOf(chunk)) {
      const event = parseEvent(line);
      // A writer may just have replaced the torn tail: then the expected event stands here by now.
      if (event?.seq === from.seq && position === from.position) return;
      if (event !== undefined) {
        const found = position === from.position ? `has the sequence number ${event.seq}` : 'is not a complete event';
        throw corruptLine(from, found);
      }
      position += line.length + 1;
      seq++;
    }
  }
}

/**
 * Refuses to read what follows the last event as if it were a torn tail when it is too large for one.
 * @throws GVU_LOG_CORRUPT
 */
export function requireTornSize(from: Cursor, bytes: number): void {
  if (bytes > maxTornBytes) throw corruptLine(from, `begins ${bytes} bytes without an event, too many for a torn line`);
}

/** GVU_LOG_CORRUPT: line and byte offset, and what is wrong with that line. */
export function corruptLine(at: Cursor, what: string): GvuError {
  return coreErrors.error('GVU_LOG_CORRUPT', `Line ${at.seq + 1} of the event log (byte ${at.position}) ${what}.`, {
    hint: 'Restore the file, or cut it before that line and keep the rest elsewhere.',
    details: { line: at.seq + 1, offset: at.position },
  });
}

/** Complete lines from a position on, with their newlines: at least one if there is one. */
async function readLines(file: FileHandle, from: Cursor): Promise<Buffer> {
  const { position } = from;
  const available = (await file.stat()).size - position;
  for (let length = Math.min(chunkBytes, available); length > 0; length = Math.min(2 * length, available)) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1;
    if (end > 0 || length === available) return buffer.subarray(0, end);
    if (length >= maxTornBytes) requireTornSize(from, available);
  }
  return Buffer.alloc(0);
}

function* linesOf(chunk: Buffer): Generator<Buffer> {
  for (let begin = 0; begin < chunk.length; ) {
    const end = chunk.indexOf(newline, begin);
    yield chunk.subarray(begin, end);
    begin = end + 1;
  }
}
