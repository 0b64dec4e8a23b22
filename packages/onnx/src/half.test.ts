/**
 * Every one of the 65,536 patterns of both formats, against a statement of IEEE 754 that shares nothing with the
 * conversion: the values of ascending patterns are a running sum of their spacings, and a number goes to whichever
 * neighbour in that table is nearer, at the midpoint to the one with an even pattern.
 */
import { describe, expect, test } from 'vitest';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts';

const formats = [
  { name: 'float16', mantissaBits: 10, bias: 15, encode: toFloat16, decode: fromFloat16 },
  { name: 'bfloat16', mantissaBits: 7, bias: 127, encode: toBfloat16, decode: fromBfloat16 },
];

/** The values of the patterns from +0 up, and last what the pattern of infinity would be if it were finite. */
function ascendingValues({ mantissaBits, bias }: { mantissaBits: number; bias: number }): number[] {
  const infinity = 0x8000 - (1 << mantissaBits);
  const values = [0];
  let value = 0;
  for (let pattern = 0; pattern < infinity; pattern++) {
    value += 2 ** (Math.max(pattern >>> mantissaBits, 1) - bias - mantissaBits);
    values.push(value);
  }
  return values;
}

describe.each(formats)('$name', (format) => {
  const { encode, decode } = format;
  const values = ascendingValues(format);
  const infinity = values.length - 1;

  test('decodes every finite pattern, and both infinities', () => {
    const wrong = values.flatMap((value, pattern) => {
      const expected = pattern === infinity ? Number.POSITIVE_INFINITY : value;
      return Object.is(decode(pattern), expected) && Object.is(decode(pattern | 0x8000), -expected) ? [] : [pattern];
    });
    expect(wrong).toEqual([]);
  });

  test('decodes the rest to NaN, and encodes NaN to one of them', () => {
    for (let pattern = infinity + 1; pattern < 0x8000; pattern++) {
      expect(decode(pattern)).toBeNaN();
      expect(decode(pattern | 0x8000)).toBeNaN();
    }
    expect(encode(Number.NaN) & 0x7fff).toBeGreaterThan(infinity);
    expect(encode(Number.NaN)).toBeLessThan(0x10000);
  });

  test('encodes the value of every pattern as that pattern', () => {
    const wrong = values.flatMap((value, pattern) =>
      encode(value) === pattern && encode(-value) === (pattern | 0x8000) ? [] : [pattern],
    );
    expect(wrong).toEqual([]);
  });

  test('rounds to the nearest, ties to even, also a hair beside each tie', () => {
    const wrong: unknown[] = [];
    for (let low = 0; low < infinity; low++) {
      const [below, above] = [values[low] ?? 0, values[low + 1] ?? 0];
      const tie = (below + above) / 2;
      const inside = (above - below) / 256; // a float32 can still tell this from the tie
      const cases = [
        [tie, low % 2 === 0 ? low : low + 1],
        [tie - inside, low],
        [tie + inside, low + 1],
        // The nearest doubles on either side, which a float32 cannot tell from the tie.
        [tie * (1 - 2 ** -52), low],
        [tie * (1 + 2 ** -52), low + 1],
      ] as const;
      for (const [value, pattern] of cases)
        if (encode(value) !== pattern || encode(-value) !== (pattern | 0x8000)) wrong.push({ value, pattern });
    }
    expect(wrong).toEqual([]);
  });

  test('overflows to infinity and underflows to a signed zero', () => {
    for (const huge of [Number.MAX_VALUE, 2 ** 128, values[infinity] ?? 0, Number.POSITIVE_INFINITY]) {
      expect(encode(huge)).toBe(infinity);
      expect(encode(-huge)).toBe(infinity | 0x8000);
    }
    for (const tiny of [Number.MIN_VALUE, 2 ** -150, (values[1] ?? 0) / 2]) {
      expect(encode(tiny)).toBe(0);
      expect(encode(-tiny)).toBe(0x8000);
    }
  });
});
