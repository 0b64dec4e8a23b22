/**
 * A process that writes an event log, started by `event-log-process.test.ts` to be killed, starved of disk or raced.
 * Usage: event-log-process.ts <mode> <directory>. It reports on standard output, one line of JSON each.
 */

import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { isGvuError } from '../src/errors.ts';
import { EventLog } from '../src/event-log/index.ts';
import { fillIntegers, randomStream } from '../src/random.ts';

export interface Report {
  /** Sequence number of an event that `append` has acknowledged. */
  appended?: number;
  /** Name of a blob that `putBlob` has acknowledged. */
  blob?: string;
  /** The log is open, or why not. */
  opened?: true;
  failed?: string;
}

/** The data of event `seq`: mostly small, at times large enough that a kill can hit the middle of a write. */
export function dataOf(seq: number): { seq: number; filler: string } {
  const sizes = new Int32Array(2);
  fillIntegers(sizes, randomStream(1, 'test/sizes').at(seq), { low: 0, high: 400_000 });
  const [choice = 0, size = 0] = sizes;
  return { seq, filler: 'x'.repeat(choice < 40_000 ? size : size % 100) };
}

const [mode, directory = ''] = process.argv.slice(2);

/** Written to the pipe before it returns. */
function report(line: Report): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function codeOf(error: unknown): string {
  return isGvuError(error) ? error.code : String(error);
}

/** Says that it has started, and waits for a line on standard input. */
async function untilTold(): Promise<Interface> {
  report({});
  const input = createInterface({ input: process.stdin });
  await once(input, 'line');
  return input;
}

/** Appends from when it is told until killed, and stores a blob at times. */
async function appendForever(): Promise<void> {
  await untilTold();
  const log = await EventLog.open(directory, { flushEveryMs: 10 });
  for (;;) {
    const seq = log.nextSeq;
    log.append('test.item', dataOf(seq));
    report({ appended: seq });
    if (seq % 20 === 0) report({ blob: await log.putBlob(Buffer.from(`blob ${seq} ${'y'.repeat(seq * 100)}`), 'bin') });
  }
}

/** Appends until the disk is full, then a small event, which still fits. */
async function appendUntilFull(): Promise<void> {
  await using log = await EventLog.open(directory);
  try {
    for (;;) report({ appended: log.append('test.item', 'x'.repeat(10_000)) });
  } catch (error) {
    report({ failed: codeOf(error) });
  }
  report({ appended: log.append('test.small', 'fits') });
}

/** Opens the log when it is told, and keeps it until standard input ends. */
async function race(): Promise<void> {
  const input = await untilTold();
  try {
    await using _log = await EventLog.open(directory);
    report({ opened: true });
    await once(input, 'close');
  } catch (error) {
    report({ failed: codeOf(error) });
  }
}

if (mode === 'forever') await appendForever();
if (mode === 'full') await appendUntilFull();
if (mode === 'race') await race();
