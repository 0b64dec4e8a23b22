import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PhiloxAddress, philoxBlocks, philoxWords } from './philox.ts';

const seed = 20261123;

// Published with Random123 (tests/kat_vectors, philox4x32 with 10 rounds): counter, key, expected.
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8'],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    ['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd'],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    ['d16cfe09', '94fdcceb', '5001e420', '24126ea1'],
  ],
])('known answer for counter %j', (counter, key, expected) => {
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
  const [k0 = 0, k1 = 0] = key;
  const out = new Uint32Array(4);
  philoxBlocks(out, { key: [k0, k1], counter: [c1, c2, c3] }, c0);
  expect(Array.from(out, (word) => word.toString(16).padStart(8, '0'))).toEqual(expected);
});

/** The same bijection in big integers, straight from the definition. */
function philoxByDefinition(counter: readonly bigint[], key: readonly bigint[]): bigint[] {
  const mask = 0xffffffffn;
  let [x0 = 0n, x1 = 0n, x2 = 0n, x3 = 0n] = counter;
  let [k0 = 0n, k1 = 0n] = key;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * x0;
    const p1 = 0xcd9e8d57n * x2;
    [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [x0, x1, x2, x3];
}

const word = fc.integer({ min: 0, max: 0xffffffff });

test('equals its definition in big integers', () => {
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), ([c0, c1, c2, c3], key) => {
      const out = new Uint32Array(4);
      philoxBlocks(out, { key, counter: [c1, c2, c3] }, c0);
      expect(Array.from(out, BigInt)).toEqual(philoxByDefinition([c0, c1, c2, c3].map(BigInt), key.map(BigInt)));
    }),
    { seed, numRuns: 2000 },
  );
});

test('a part that starts anywhere equals the same part of the whole', () => {
  const address: PhiloxAddress = { key: [1, 2], counter: [3, 4, 5] };
  const whole = new Uint32Array(64);
  philoxWords(whole, address);
  for (let offset = 0; offset < 20; offset++) {
    for (let length = 0; length < 20; length++) {
      const part = new Uint32Array(length);
      philoxWords(part, address, offset);
      expect(part).toEqual(whole.slice(offset, offset + length));
    }
  }
});

test('the last words of an address are reached', () => {
  const address: PhiloxAddress = { key: [1, 2], counter: [3, 4, 5] };
  const part = new Uint32Array(3);
  philoxWords(part, address, 2 ** 32 - 3);
  const block = philoxByDefinition([2n ** 30n - 1n, 3n, 4n, 5n], [1n, 2n]);
  expect(Array.from(part, BigInt)).toEqual(block.slice(1));
});
