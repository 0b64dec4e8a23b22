import { expect, test } from 'vitest';
import { eventsFrame, RecentEvents } from './feed.ts';

const event = (offset: number) => ({ offset, seq: offset, timeMs: 0, json: JSON.stringify({ offset }) });

test('one frame for all clients with the same id at the same place, and no other', () => {
  const recent = new RecentEvents({ count: 3, bytes: 1e6 });
  for (let offset = 0; offset < 4; offset++) recent.push(event(offset));
  const slice = (offset: number) => recent.slice(offset, 1e6) ?? [];
  const frame = recent.frame(1, slice(1));
  expect(frame.toString()).toBe('{"op":"events","id":1,"events":[{"offset":1},{"offset":2},{"offset":3}]}');
  expect(recent.frame(1, slice(1))).toBe(frame);
  for (const [id, offset] of [
    [2, 1],
    [1, 2],
    [1, 3],
  ] as const) {
    expect(recent.frame(id, slice(offset))).toEqual(eventsFrame(id, slice(offset)));
  }
  recent.push(event(4));
  expect(recent.frame(1, slice(2)).toString()).toBe(
    '{"op":"events","id":1,"events":[{"offset":2},{"offset":3},{"offset":4}]}',
  );
});

test('beyond the frames that are kept, each is made anew and right', () => {
  const recent = new RecentEvents({ count: 1, bytes: 1e6 });
  recent.push(event(7));
  const events = recent.slice(7, 1e6) ?? [];
  for (let round = 0; round < 2; round++) {
    for (let id = 1; id <= 100; id++) expect(recent.frame(id, events)).toEqual(eventsFrame(id, events));
  }
});
