import { expect, test, vi } from 'vitest';
import { eventsFrame, RecentEvents } from './feed.ts';

const event = (offset: number) => ({ offset, seq: offset, timeMs: 0, json: JSON.stringify({ offset }) });

test('a frame is made once for all clients at the same place, until something happens', () => {
  const recent = new RecentEvents({ count: 3, bytes: 1e6 });
  recent.push(event(0));
  const make = vi.fn(() => eventsFrame(1, [event(0)]));
  const frame = recent.shared('1 0 0', make);
  expect(frame.toString()).toBe('{"op":"events","id":1,"events":[{"offset":0}]}');
  expect(recent.shared('1 0 0', make)).toBe(frame);
  expect(make).toHaveBeenCalledTimes(1);
  expect(recent.shared('2 0 0', () => eventsFrame(2, [event(0)])).toString()).toContain('"id":2');
  recent.push(event(1));
  expect(recent.shared('1 0 0', make)).toEqual(frame);
  expect(make).toHaveBeenCalledTimes(2);
});

test('beyond the frames that are kept, by count or by bytes, each is made anew and right', () => {
  for (const bytes of [10, 1 << 20]) {
    const recent = new RecentEvents({ count: 1, bytes: 1e6 });
    let made = 0;
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 100; n++) {
        const frame = recent.shared(`${n}`, () => {
          made++;
          return new Uint8Array(bytes).fill(n);
        });
        expect([frame.length, frame[0], frame.at(-1)]).toEqual([bytes, n, n]);
      }
    }
    expect(made).toBe(200 - (bytes === 10 ? 64 : 4));
  }
});
