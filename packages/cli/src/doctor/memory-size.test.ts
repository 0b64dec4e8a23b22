import { expect, test } from 'vitest';
import { parseSize, sizeText } from './memory-size.ts';

test.each([
  ['24GB', 24e9],
  ['1.5 GiB', 1.5 * 2 ** 30],
  [' 800mb ', 8e8],
  ['16MiB', 2 ** 24],
  ['0GB', undefined],
  ['24', undefined],
  ['-1GB', undefined],
  ['24 TB', undefined],
  ['GB', undefined],
])('%j', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('three digits of a size', () => {
  expect([999, 5e5, 12.34e6, 999e6, 1e9, 15.26e9, 120e9].map(sizeText)).toEqual([
    '0.00 MB',
    '0.50 MB',
    '12.3 MB',
    '999 MB',
    '1.00 GB',
    '15.3 GB',
    '120 GB',
  ]);
});
