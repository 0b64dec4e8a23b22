import { appendFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventsPath, type LogEvent } from './event.ts';
import { EventLog } from './event-log.ts';
import { readEvents, type TailOptions, tailEvents } from './tail.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gvu-tail-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

function append(log: EventLog, from: number, to: number): void {
  for (let i = from; i < to; i++) log.append('test.item', i);
}

/** The next `count` events; fails if they do not come. */
async function take(events: AsyncIterator<LogEvent>, count: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < count) {
    const { value, done } = await events.next();
    if (done) throw new Error(`the tail ended after ${seqs.length} events`);
    seqs.push(value.seq);
  }
  return seqs;
}

/** A tail, ended after `use`. */
async function tailing(
  options: TailOptions,
  use: (events: AsyncIterator<LogEvent>, tail: { epoch: string; offset: number }) => Promise<void>,
): Promise<void> {
  const tail = await tailEvents(directory, options);
  const events = tail[Symbol.asyncIterator]();
  try {
    await use(events, tail);
  } finally {
    await events.return?.();
  }
}

describe('from', () => {
  test('earliest: what is there, then what comes', async () => {
    await using log = await EventLog.open(directory);
    append(log, 0, 3);
    await tailing({}, async (events, tail) => {
      expect(tail).toMatchObject({ epoch: log.epoch, offset: 0 });
      expect(await take(events, 4)).toEqual([0, 1, 2, 3]);
      append(log, 3, 5);
      expect(await take(events, 2)).toEqual([4, 5]);
    });
  });

  test('latest: only what comes after the call', async () => {
    await using log = await EventLog.open(directory);
    append(log, 0, 3);
    await tailing({ from: 'latest' }, async (events, tail) => {
      expect(tail.offset).toBe(4);
      append(log, 3, 5); // before the iteration began
      expect(await take(events, 2)).toEqual([4, 5]);
    });
  });

  test('a position: exactly what has not been seen, at each position', async () => {
    await using log = await EventLog.open(directory);
    append(log, 0, 5);
    for (let offset = 0; offset <= 6; offset++) {
      await tailing({ from: { epoch: log.epoch, offset } }, async (events, tail) => {
        expect(tail.offset).toBe(offset);
        expect(await take(events, 6 - offset)).toEqual([0, 1, 2, 3, 4, 5].slice(offset));
      });
    }
  });

  test('a position beyond the end, or not a position, is refused', async () => {
    await using log = await EventLog.open(directory);
    const refusal = async (offset: number): Promise<unknown> =>
      await tailEvents(directory, { from: { epoch: log.epoch, offset } }).catch((error: unknown) => error);
    for (const offset of [2, 1e9]) {
      expect(await refusal(offset)).toMatchObject({ code: 'GVU_LOG_OFFSET', details: { offset, events: 1 } });
    }
    for (const offset of [-1, 0.5, Number.NaN]) {
      expect(await refusal(offset)).toMatchObject({ code: 'GVU_LOG_OFFSET', details: { offset } });
      expect(String(await refusal(offset))).toContain(`${offset} is not the sequence number`);
    }
  });

  test('a position of another log is refused', async () => {
    await using log = await EventLog.open(directory);
    await expect(tailEvents(directory, { from: { epoch: 'other', offset: 0 } })).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_LOG_EPOCH', details: { expected: 'other', found: log.epoch } }),
    );
  });

  test('a place without a log is refused', async () => {
    await expect(tailEvents(directory)).rejects.toThrow(code('GVU_LOG_MISSING'));
    await expect(readEvents(directory).next()).rejects.toThrow(code('GVU_LOG_MISSING'));
    await writeFile(eventsPath(directory), '{"seq":0,');
    await expect(tailEvents(directory)).rejects.toThrow(code('GVU_LOG_MISSING'));
    await writeFile(eventsPath(directory), 'x\ny\n{"seq":0,"time":"","type":"t","data":1}\n');
    await expect(tailEvents(directory)).rejects.toThrow(code('GVU_LOG_CORRUPT'));
  });
});

describe('aborting', () => {
  test('ends a tail that waits', async () => {
    await using _log = await EventLog.open(directory);
    const controller = new AbortController();
    const tail = await tailEvents(directory, { from: 'latest', signal: controller.signal });
    const ending = tail[Symbol.asyncIterator]().next();
    setTimeout(() => controller.abort(), 20);
    expect(await ending).toEqual({ done: true, value: undefined });
  });

  test('ends a tail between events and before the first', async () => {
    await using log = await EventLog.open(directory);
    append(log, 0, 10);
    const controller = new AbortController();
    const tail = await tailEvents(directory, { signal: controller.signal });
    const seen: number[] = [];
    for await (const { seq } of tail) {
      seen.push(seq);
      if (seq === 2) controller.abort();
    }
    expect(seen).toEqual([0, 1, 2]);
    expect(await tail[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });
});

describe('a torn line', () => {
  test('is not delivered before it is complete', async () => {
    await using log = await EventLog.open(directory);
    append(log, 0, 1);
    const lines = await readFile(eventsPath(directory), 'utf8');
    const next = `{"seq":2,"time":"2026-01-01T00:00:00.000Z","type":"test.item","data":"${'x'.repeat(600_000)}"}\n`;
    await tailing({}, async (events) => {
      expect(await take(events, 2)).toEqual([0, 1]);
      const waiting = events.next();
      let delivered = false;
      void waiting.then(() => {
        delivered = true;
      });
      for (const end of [1, 300_000, next.length - 1]) {
        await writeFile(eventsPath(directory), lines + next.slice(0, end));
        await new Promise((resolve) => setTimeout(resolve, 250));
        expect(delivered).toBe(false);
      }
      await appendFile(eventsPath(directory), '\n');
      expect((await waiting).value?.seq).toBe(2);
    });
  });

  test('that a writer cuts off is never seen', async () => {
    {
      await using log = await EventLog.open(directory);
      append(log, 0, 1);
    }
    await tailing({}, async (events) => {
      expect(await take(events, 2)).toEqual([0, 1]);
      await appendFile(eventsPath(directory), '{"seq":2,"time":"2026","ty\npe":');
      const waiting = events.next();
      await new Promise((resolve) => setTimeout(resolve, 250));
      await using log = await EventLog.open(directory);
      append(log, 1, 3);
      expect((await waiting).value).toMatchObject({ seq: 2, type: 'log.repaired' });
      expect(await take(events, 2)).toEqual([3, 4]);
    });
  });
});

describe('a log that is replaced while it is followed', () => {
  async function fresh(): Promise<void> {
    await using log = await EventLog.open(directory);
    append(log, 0, 3);
  }

  test('by another one ends the tail with its epoch', async () => {
    await fresh();
    await tailing({}, async (events, { epoch }) => {
      await take(events, 4);
      await rm(eventsPath(directory));
      await fresh();
      const expected = expect.objectContaining({
        code: 'GVU_LOG_EPOCH',
        details: expect.objectContaining({ expected: epoch }),
      });
      await expect(events.next()).rejects.toThrow(expected);
    });
  });

  test('by nothing ends the tail', async () => {
    await fresh();
    await tailing({}, async (events) => {
      await take(events, 4);
      await rm(eventsPath(directory));
      await expect(events.next()).rejects.toThrow(code('GVU_LOG_MISSING'));
    });
  });

  test('by a copy of itself goes on', async () => {
    await fresh();
    await tailing({}, async (events) => {
      await take(events, 4);
      const copy = join(directory, 'copy');
      await writeFile(copy, await readFile(eventsPath(directory)));
      await rename(copy, eventsPath(directory));
      await using log = await EventLog.open(directory);
      append(log, 3, 5);
      expect(await take(events, 2)).toEqual([4, 5]);
    });
  });

  test('by less than has been delivered ends the tail', async () => {
    await fresh();
    await tailing({}, async (events) => {
      await take(events, 4);
      const lines = (await readFile(eventsPath(directory), 'utf8')).split('\n');
      await truncate(eventsPath(directory), `${lines.slice(0, 2).join('\n')}\n`.length);
      await expect(events.next()).rejects.toThrow(code('GVU_LOG_OFFSET'));
    });
  });
});

test('damage ahead of a tail is an error', async () => {
  await using log = await EventLog.open(directory);
  await tailing({}, async (events) => {
    await take(events, 1);
    await appendFile(eventsPath(directory), 'x\n{"seq":2,"time":"","type":"t","data":1}\n');
    await expect(events.next()).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_LOG_CORRUPT', details: expect.objectContaining({ line: 2 }) }),
    );
  });
  expect(log.nextSeq).toBe(1);
});

test('100,000 events are read and followed within seconds', async () => {
  await using log = await EventLog.open(directory);
  append(log, 0, 100_000);
  const started = performance.now();
  let count = 0;
  for await (const event of readEvents(directory)) if (event.seq === count) count++;
  expect(count).toBe(100_001);
  await tailing({}, async (events) => {
    expect((await take(events, count)).at(-1)).toBe(100_000);
  });
  expect(performance.now() - started).toBeLessThan(20_000); // 0.6 s on two idle cores; quadratic would be minutes
});
