import type { Pixels } from '@gvu/models';
import { expect, test } from 'vitest';
import { contactSheet } from './contact-sheet.ts';
import { preview } from './preview.ts';

const plain = (value: number): Pixels => ({ width: 2, height: 2, data: new Uint8Array(12).fill(value) });

test('a sheet has a row for each list, on white', () => {
  const sheet = contactSheet([[plain(1), plain(2)], [plain(3)]], 1);
  expect([sheet.width, sheet.height]).toEqual([7, 7]);
  const red = (x: number, y: number) => sheet.data[3 * (y * 7 + x)];
  expect([red(0, 0), red(1, 1), red(2, 2), red(3, 1), red(4, 1), red(1, 4), red(4, 4)]).toEqual([
    255, 1, 1, 255, 2, 3, 255,
  ]);
});

test('a preview has two pixels a character, side by side as far as the width allows', () => {
  const pixel = '\u001b[38;2;1;1;1;48;2;1;1;1m▀';
  expect(preview([plain(1)], { width: 80 })).toBe(`${pixel}${pixel}\u001b[0m`);
  const lines = (width: number) => preview([plain(1), plain(1), plain(1)], { width }).split('\n').length;
  expect([lines(8), lines(7), lines(2)]).toEqual([1, 3, 5]);
  const wide = { width: 200, height: 100, data: new Uint8Array(60_000) };
  expect(preview([wide], { width: 80 }).split('▀').length - 1).toBe(48 * 12);
});
