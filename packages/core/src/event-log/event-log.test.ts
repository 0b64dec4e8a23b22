import { closeSync, existsSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isRecord, type JsonValue } from '../json-value.ts';
import { readBlob } from './blobs.ts';
import { eventsPath, type LogEvent } from './event.ts';
import { EventLog } from './event-log.ts';
import { readEvents, tailEvents } from './tail.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gvu-log-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function appendAll(...data: JsonValue[]): Promise<void> {
  await using log = await EventLog.open(directory);
  for (const item of data) log.append('test.item', item);
}

async function events(): Promise<LogEvent[]> {
  const all: LogEvent[] = [];
  for await (const event of readEvents(directory)) all.push(event);
  expect(all.map((event) => event.seq)).toEqual(all.map((_, i) => i));
  return all;
}

/** Types and data of all events but the header. */
async function contents(): Promise<[string, JsonValue][]> {
  return (await events()).slice(1).map((event) => [event.type, event.data]);
}

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe('appending', () => {
  test('numbers events from the header on and stamps them', async () => {
    const before = Date.now();
    let epoch: string;
    {
      await using log = await EventLog.open(directory);
      epoch = log.epoch;
      expect(log.nextSeq).toBe(1);
      expect(log.append('test.item', { text: 'a\nb\u2028"\ud800' })).toBe(1);
      expect(log.append('test.item', null)).toBe(2);
      expect(log.nextSeq).toBe(3);
    }
    const [header, first, second] = await events();
    expect(header).toMatchObject({ seq: 0, type: 'log.created', data: { format: 'gvu-events/1', epoch } });
    expect(first).toMatchObject({ seq: 1, type: 'test.item', data: { text: 'a\nb\u2028"\ud800' } });
    expect(second?.data).toBeNull();
    for (const { time } of [header, first, second].flatMap((event) => event ?? [])) {
      expect(new Date(time).toISOString()).toBe(time);
      expect(Date.parse(time)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(time)).toBeLessThanOrEqual(Date.now());
    }
  });

  test('continues numbers and epoch when the log is opened again', async () => {
    await appendAll('a', 'b');
    await appendAll('c');
    expect(await contents()).toEqual([
      ['test.item', 'a'],
      ['test.item', 'b'],
      ['test.item', 'c'],
    ]);
  });

  test('gives each new log another epoch', async () => {
    const epochs = new Set<string>();
    for (const name of ['a', 'b']) {
      await using log = await EventLog.open(join(directory, 'deeper', name));
      epochs.add(log.epoch);
    }
    expect(epochs.size).toBe(2);
  });

  test('is visible to readers at once, without flush', async () => {
    await using log = await EventLog.open(directory, { flushEveryMs: 1e6 });
    log.append('test.item', 1);
    expect(await contents()).toEqual([['test.item', 1]]);
  });

  test('writes what JSON cannot hold as JSON.stringify does', async () => {
    await appendAll({ loss: Number.NaN, ratio: Number.NEGATIVE_INFINITY, zero: -0 });
    expect(await contents()).toEqual([['test.item', { loss: null, ratio: null, zero: 0 }]]);
  });

  test('any JSON value comes back as it was', async () => {
    await using log = await EventLog.open(directory);
    const appended: unknown[] = [];
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        // fast-check promises a JSON value, which is what the type says.
        log.append('test.item', value as JsonValue);
        appended.push(JSON.parse(text));
      }),
      { seed: 20261123, numRuns: 300 },
    );
    expect((await contents()).map(([, data]) => data)).toEqual(appended);
  });

  test.each(['', 'Train', 'train step', 'train..step', '.train', 'train.', 'log.created', 'log.x', 'a\nb'])(
    'refuses the type %j',
    async (type) => {
      await using log = await EventLog.open(directory);
      expect(() => log.append(type, null)).toThrow(code('GVU_LOG_EVENT'));
      expect(log.append('train.step', null)).toBe(1);
    },
  );

  test('refuses data that is not JSON, and what belongs into a blob, and stays usable', async () => {
    await using log = await EventLog.open(directory);
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const vanishing = { toJSON: () => undefined };
    const long = 'x'.repeat(17 * 2 ** 20);
    for (const data of [undefined, () => 1, Symbol('x'), vanishing, 1n, { deep: [1n] }, cycle, long]) {
      // Callers without a type checker can pass anything.
      expect(() => log.append('test.item', data as JsonValue)).toThrow(code('GVU_LOG_EVENT'));
    }
    expect(log.append('test.item', 'fine')).toBe(1);
    expect(await contents()).toEqual([['test.item', 'fine']]);
  });

  test('may happen while the data of another event is read', async () => {
    await using log = await EventLog.open(directory);
    const data = {
      get outer() {
        log.append('test.inner', null);
        return 1;
      },
    };
    expect(log.append('test.item', data)).toBe(2);
    expect(await contents()).toEqual([
      ['test.inner', null],
      ['test.item', { outer: 1 }],
    ]);
  });

  test('is refused after closing; closing twice is harmless', async () => {
    const log = await EventLog.open(directory);
    await log[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    expect(() => log.append('test.item', 1)).toThrow(code('GVU_LOG_CLOSED'));
    await expect(log.putBlob(Buffer.of(1), 'bin')).rejects.toThrow(code('GVU_LOG_CLOSED'));
  });

  test('can be flushed by many callers at once', async () => {
    await using log = await EventLog.open(directory);
    const flushes = Array.from({ length: 20 }, (_, i) => {
      log.append('test.item', i);
      return log.flush();
    });
    await Promise.all(flushes);
    expect(await contents()).toHaveLength(20);
  });
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 0])('flushing every %s ms is refused', async (flushEveryMs) => {
  await expect(EventLog.open(join(directory, 'new'), { flushEveryMs })).rejects.toThrow(code('GVU_LOG_OPTIONS'));
  expect(existsSync(join(directory, 'new'))).toBe(false);
});

test('closing again waits for the first closing, and settles as that does', async () => {
  const log = await EventLog.open(directory, { flushEveryMs: 1e6 });
  log.append('test.item', 1);
  void log[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
  // Locked until the file is closed.
  await appendAll(2);
  expect((await contents()).map(([, data]) => data)).toEqual([1, 2]);
});

describe('a torn tail', () => {
  const items = [{ text: 'é'.repeat(5) }, [1, 2, 3], 'last'];

  /** The complete lines of a prefix of a log, and what follows them. */
  function splitLines(prefix: Buffer): { lines: string[]; rest: Buffer } {
    const end = prefix.lastIndexOf('\n') + 1;
    const lines = prefix.subarray(0, end).toString().split('\n').slice(0, -1);
    return { lines, rest: prefix.subarray(end) };
  }

  test('is cut off, kept as a blob and reported, wherever the file ends', async () => {
    await appendAll(...items);
    const whole = await readFile(eventsPath(directory));
    const wholeLines = whole.toString().split('\n');
    for (let length = 0; length < whole.length; length += 3) {
      await writeFile(eventsPath(directory), whole.subarray(0, length));
      const { lines, rest } = splitLines(whole.subarray(0, length));
      await appendAll('after');

      const found = await events();
      const complete = rest.toString() === wholeLines[lines.length];
      const kept = Math.max(complete ? lines.length + 1 : lines.length, 1);
      if (kept > 1) {
        expect(found.slice(0, kept)).toEqual(wholeLines.slice(0, kept).map((line) => JSON.parse(line)));
      }
      const rests = found.slice(kept).map((event) => event.type);
      const cut = rest.length > 0 && !complete;
      expect(rests).toEqual(cut ? ['log.repaired', 'test.item'] : ['test.item']);
      if (cut) await expectRepaired(found[kept], rest, length - rest.length);
    }
  });

  async function expectRepaired(event: LogEvent | undefined, cut: Buffer, offset: number): Promise<void> {
    const data = event?.data;
    if (!isRecord(data)) throw new Error('the event has no data');
    expect(data).toMatchObject({ offset, bytes: cut.length });
    expect(await readBlob(directory, String(data.blob))).toEqual(cut);
  }

  test('of which only the newline is missing is completed', async () => {
    await appendAll('a', 'b');
    const { length } = await readFile(eventsPath(directory));
    await truncate(eventsPath(directory), length - 1);
    await appendAll('c');
    expect((await contents()).map(([, data]) => data)).toEqual(['a', 'b', 'c']);
  });

  test('that is JSON over several lines is no event', async () => {
    await appendAll('a');
    await appendFile(eventsPath(directory), '{"seq":2,\n"time":"","type":"x","data":1}');
    await appendAll('b');
    expect((await contents()).map(([type]) => type)).toEqual(['test.item', 'log.repaired', 'test.item']);
  });

  test('larger than any crash leaves it is damage, and not read whole', async () => {
    await appendAll('a');
    const { length } = await readFile(eventsPath(directory));
    await truncate(eventsPath(directory), 2 ** 27);
    const expected = expect.objectContaining({ code: 'GVU_LOG_CORRUPT', details: { line: 3, offset: length } });
    await expect(EventLog.open(directory)).rejects.toThrow(expected);
    await expect(events()).rejects.toThrow(expected);
    await expect(tailEvents(directory, { from: 'latest' })).rejects.toThrow(expected);
  });

  test('of any bytes loses no event before it', async () => {
    await appendAll('a', 'b');
    const whole = await readFile(eventsPath(directory));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40 }), async (garbage) => {
        await writeFile(eventsPath(directory), Buffer.concat([whole, garbage]));
        expect((await contents()).slice(0, 2).map(([, data]) => data)).toEqual(['a', 'b']); // readers skip it
        await appendAll('c');
        const [, , repaired, last] = await contents();
        expect(last).toEqual(['test.item', 'c']);
        expect(repaired?.[0]).toBe('log.repaired');
        await expectRepaired((await events())[3], Buffer.from(garbage), whole.length);
      }),
      { seed: 20261123, numRuns: 40 },
    );
  });

  test('of zeros and half a line with a newline, as a power failure leaves it, is cut as a whole', async () => {
    await appendAll('a');
    await appendFile(eventsPath(directory), '\0'.repeat(5000));
    await appendFile(eventsPath(directory), '":1}\nxyz');
    await appendAll('b');
    expect((await contents()).map(([type]) => type)).toEqual(['test.item', 'log.repaired', 'test.item']);
  });
});

describe('damage before the end', () => {
  /** Replaces text in line `index` of the log. */
  async function damage(index: number, replace: (line: string) => string): Promise<number> {
    const lines = (await readFile(eventsPath(directory), 'latin1')).split('\n');
    const offset = lines.slice(0, index).join('\n').length + (index > 0 ? 1 : 0);
    lines[index] = replace(lines[index] ?? '');
    await writeFile(eventsPath(directory), lines.join('\n'), 'latin1');
    return offset;
  }

  test.each([
    ['a line that is not JSON', (line: string) => line.slice(0, -1)],
    ['an empty line', () => ''],
    ['a line of another shape', () => '{"seq":2}'],
    ['invalid UTF-8', (line: string) => line.replace('b', '\xff')],
    ['a gap in the numbers', (line: string) => line.replace('"seq":2', '"seq":3')],
    ['a number that is no integer', (line: string) => line.replace('"seq":2', '"seq":2.5')],
  ])('%s is refused with line and offset, and nothing is changed', async (_, replace) => {
    await appendAll('a', 'b', 'c');
    const offset = await damage(2, replace);
    const before = await readFile(eventsPath(directory));
    const expected = expect.objectContaining({ code: 'GVU_LOG_CORRUPT', details: { line: 3, offset } });

    await expect(EventLog.open(directory)).rejects.toThrow(expected);
    await expect(events()).rejects.toThrow(expected);
    expect(await readFile(eventsPath(directory))).toEqual(before);
    expect(await readdir(directory)).not.toContain('blobs');
  });

  test('is reported by the reader after the events before it', async () => {
    await appendAll('a', 'b', 'c');
    await damage(2, () => 'x');
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const { seq } of readEvents(directory)) seen.push(seq);
    };
    await expect(reading()).rejects.toThrow(code('GVU_LOG_CORRUPT'));
    expect(seen).toEqual([0, 1]);
  });

  test('the wrong number on the last line is no torn line', async () => {
    await appendAll('a', 'b');
    await damage(2, (line) => line.replace('"seq":2', '"seq":1'));
    await expect(EventLog.open(directory)).rejects.toThrow(code('GVU_LOG_CORRUPT'));
  });

  test.each([
    ['lines of another program', '{"level":30,"msg":"hello"}\n{"level":30,"msg":"world"}\n'],
    ['a log without header', '{"seq":0,"time":"","type":"test.item","data":1}\n'],
    ['a log of another format', '{"seq":0,"time":"","type":"log.created","data":{"format":"x/9","epoch":"e"}}\n'],
  ])('%s is not touched', async (_, text) => {
    await writeFile(eventsPath(directory), text);
    await expect(EventLog.open(directory)).rejects.toThrow(code('GVU_LOG_CORRUPT'));
    expect(await readFile(eventsPath(directory), 'utf8')).toBe(text);
  });

  test('leaves the log unlocked', async () => {
    await writeFile(eventsPath(directory), 'x\ny\n');
    await expect(EventLog.open(directory)).rejects.toThrow(code('GVU_LOG_CORRUPT'));
    await rm(eventsPath(directory));
    await appendAll('a');
  });
});

describe('when the operating system refuses', () => {
  test('a directory below a file, opening says so', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(EventLog.open(join(directory, 'file', 'run'))).rejects.toThrow(code('GVU_LOG_WRITE'));
  });

  test.skipIf(!existsSync('/dev/full'))('to write, opening says so and releases the lock', async () => {
    await symlink('/dev/full', eventsPath(directory));
    await expect(EventLog.open(directory)).rejects.toThrow(code('GVU_LOG_WRITE'));
    await rm(eventsPath(directory));
    await appendAll('a');
  });

  test.skipIf(process.platform !== 'linux')('to flush at the beginning, opening says so', async () => {
    await symlink('/dev/null', eventsPath(directory)); // accepts every write, and no flush
    await expect(EventLog.open(directory)).rejects.toThrow(code('GVU_LOG_WRITE'));
  });

  /** Lets the descriptor that the log writes to lead to a device from now on. */
  function redirect(device: string): void {
    const descriptor = readdirSync('/proc/self/fd').find((fd) => {
      const link = join('/proc/self/fd', fd);
      return existsSync(link) && readlinkSync(link) === eventsPath(directory);
    });
    closeSync(Number(descriptor));
    expect(openSync(device, 'a')).toBe(Number(descriptor)); // the system gives the lowest free number
  }

  test.skipIf(process.platform !== 'linux')('to write and to take back, nothing more is accepted', async () => {
    const log = await EventLog.open(directory);
    log.append('test.item', 'safe');
    redirect('/dev/full');
    expect(() => log.append('test.item', 'lost')).toThrow(code('GVU_LOG_WRITE'));
    expect(() => log.append('test.item', 'lost')).toThrow(code('GVU_LOG_CLOSED'));
    await expect(log[Symbol.asyncDispose]()).rejects.toThrow(code('GVU_LOG_WRITE'));
    await appendAll('next');
    expect((await contents()).map(([, data]) => data)).toEqual(['safe', 'next']);
  });

  test.skipIf(process.platform !== 'linux')('to flush, nothing more is accepted', async () => {
    const log = await EventLog.open(directory, { flushEveryMs: 1e6 });
    log.append('test.item', 'safe');
    redirect('/dev/null');
    await expect(log.flush()).rejects.toThrow(code('GVU_LOG_WRITE'));
    await expect(log.flush()).rejects.toThrow(code('GVU_LOG_WRITE'));
    expect(() => log.append('test.item', 'lost')).toThrow(code('GVU_LOG_CLOSED'));
    await expect(log[Symbol.asyncDispose]()).rejects.toThrow(code('GVU_LOG_WRITE'));
    await appendAll('next');
    expect((await contents()).map(([, data]) => data)).toEqual(['safe', 'next']);
  });

  test.skipIf(process.platform !== 'linux')('to flush by the timer, the next append says so', async () => {
    const log = await EventLog.open(directory, { flushEveryMs: 5 });
    redirect('/dev/null');
    log.append('test.item', 'unsafe');
    await vi.waitFor(() => {
      expect(() => log.append('test.item', 'refused')).toThrow(code('GVU_LOG_CLOSED'));
    });
    await expect(log[Symbol.asyncDispose]()).rejects.toThrow(code('GVU_LOG_WRITE'));
  });

  test('a blob, the event log stays usable', async () => {
    await using log = await EventLog.open(directory);
    await writeFile(join(directory, 'blobs'), 'in the way');
    await expect(log.putBlob(Buffer.of(1), 'bin')).rejects.toThrow(code('GVU_LOG_WRITE'));
    expect(log.append('test.item', 1)).toBe(1);
  });
});
