import type { Pixels } from '@gvu/models';
import { expect, test } from 'vitest';
import { contactSheet } from './contact-sheet.ts';
import { preview } from './preview.ts';

const plain = (value: number): Pixels => ({ width: 2, height: 2, data: new Uint8Array(12).fill(value) });

test('a sheet has a row for each list, on white, enlarged as far as there is room', () => {
  const rows = [[plain(1), plain(2)], [plain(3)]];
  const sheet = contactSheet(rows, { scale: 3, maxPixels: 4 * 100 });
  expect([sheet?.width, sheet?.height]).toEqual([20, 20]);
  const red = (x: number, y: number) => sheet?.data[3 * (2 * y * 20 + 2 * x)];
  expect([red(0, 0), red(2, 2), red(3, 3), red(4, 2), red(6, 2), red(2, 6), red(6, 6)]).toEqual([
    255, 1, 1, 255, 2, 3, 255,
  ]);
  expect(contactSheet(rows, { scale: 3, maxPixels: 9 * 100 })).toMatchObject({ width: 30, height: 30 });
  expect(contactSheet(rows, { scale: 3, maxPixels: 99 })).toBeUndefined();
});

test('a preview has two pixels a character, side by side as far as the width allows', () => {
  const pixel = '\u001b[38;2;1;1;1;48;2;1;1;1m▀';
  expect(preview([plain(1)], { width: 80 })).toBe(`${pixel}${pixel}\u001b[0m`);
  const lines = (width: number) => preview([plain(1), plain(1), plain(1)], { width }).split('\n').length;
  expect([lines(8), lines(7), lines(2)]).toEqual([1, 3, 5]);
  const wide = { width: 200, height: 100, data: new Uint8Array(60_000) };
  expect(preview([wide], { width: 80 }).split('▀').length - 1).toBe(48 * 12);
});
