import type { Pixels } from '@gvu/models';
import { expect, test } from 'vitest';
import { contactSheet } from './contact-sheet.ts';
import { textImage } from './pixel-text.ts';
import { preview } from './preview.ts';

const plain = (value: number): Pixels => ({ width: 2, height: 2, data: new Uint8Array(12).fill(value) });

const square = (value: number, side = 60): Pixels => {
  return { width: side, height: side, data: new Uint8Array(3 * side * side).fill(value) };
};

/** Where the sheet is black, as rows of `#` and `.`. */
const ink = ({ width, height, data }: Pixels) =>
  Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (data[3 * (y * width + x)] === 0 ? '#' : '.')).join(''),
  );

test('a sheet has a labelled row for each list, on white, enlarged as far as there is room', () => {
  const rows = [
    { label: 'one', images: [square(1), square(2)] },
    { label: 'two', images: [square(3)] },
  ];
  const [width, height] = [2 * (2 + 62 + 62), 2 * 2 + 2 * (11 + 2 * 62)];
  const sheet = contactSheet(rows, { scale: 3, maxPixels: width * height });
  expect([sheet?.width, sheet?.height]).toEqual([width, height]);
  const red = (x: number, y: number) => sheet?.data[3 * (y * width + x)];
  const [first, second] = [4 + 11, 4 + 11 + 124 + 11];
  expect([red(3, first), red(4, first), red(123, first + 119), red(124, first), red(128, first)]).toEqual([
    255, 1, 1, 255, 2,
  ]);
  expect([red(4, first + 120), red(4, second), red(128, second)]).toEqual([255, 3, 255]);
  expect(contactSheet(rows, { scale: 1, maxPixels: 1e6 })).toMatchObject({ width: 126, height: 2 + 2 * (11 + 62) });
  expect(contactSheet(rows, { scale: 3, maxPixels: 99 })).toBeUndefined();
});

test('rows with different labels differ above their images, and equal ones do not', () => {
  const labels = (first: string, second: string) => {
    const rows = [first, second].map((label) => ({ label, images: [square(200)] }));
    const sheet = contactSheet(rows, { scale: 1, maxPixels: 1e6 });
    const lines = sheet === undefined ? [] : ink(sheet);
    return [lines.slice(2, 13).join('\n'), lines.slice(2 + 11 + 62, 2 + 11 + 62 + 11).join('\n')] as const;
  };
  const [same, again] = labels('a circle', 'a circle');
  expect(same).toBe(again);
  expect(same).toContain('#');
  const [circle, cross] = labels('a circle', 'a cross');
  expect(circle).toBe(same);
  expect(cross).not.toBe(circle);
});

test('a label is broken between words, cut with dots, and in characters that the font has', () => {
  const heightOf = (text: string) => textImage(text, { width: 60, mostLines: 3 }).height / 11;
  expect(['a', 'a photo of a circle', 'moon '.repeat(99), 'x'.repeat(999)].map(heightOf)).toEqual([1, 2, 3, 3]);
  const shown = (text: string) => ink(textImage(text, { width: 60, mostLines: 3 }));
  expect(shown('naïve  café')).toEqual(shown('naive cafe'));
  expect(shown('月')).toEqual(shown('?'));
  expect(shown('l').map((row) => row.slice(0, 4))).toEqual([
    '##..',
    ...Array(5).fill('.#..'),
    '###.',
    ...Array(4).fill('....'),
  ]);
  expect(textImage('wide', { width: 1, mostLines: 3 })).toMatchObject({ width: 1, height: 33 });
});

test('a preview has two pixels a character, side by side as far as the width allows', () => {
  const pixel = '\u001b[38;2;1;1;1;48;2;1;1;1m▀';
  expect(preview([plain(1)], { width: 80 })).toBe(`${pixel}${pixel}\u001b[0m`);
  const lines = (width: number) => preview([plain(1), plain(1), plain(1)], { width }).split('\n').length;
  expect([lines(8), lines(7), lines(2)]).toEqual([1, 3, 5]);
  const wide = { width: 200, height: 100, data: new Uint8Array(60_000) };
  expect(preview([wide], { width: 80 }).split('▀').length - 1).toBe(48 * 12);
});
