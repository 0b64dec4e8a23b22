/**
 * Philox4x32-10, the counter-based random generator: a keyed bijection of 128-bit counters.
 *
 * Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
 * section 3.3; the known answers in the test are those that the authors publish with Random123. Value n of a sequence
 * costs the same for every n, there is no state, and counters that differ give independent words. Not for secrets.
 */

/** Multipliers of a round, and what is added to the key after it (golden ratio, sqrt(3) - 1). */
const m0 = 0xd2511f53;
const m1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const rounds = 10;

/** A key of 64 bits and the upper 96 bits of the counter; the lowest word counts blocks of four words. */
export interface PhiloxAddress {
  readonly key: readonly [number, number];
  readonly counter: readonly [number, number, number];
}

/** Words of one address: 2^30 blocks of four, so that a position stays an unsigned 32-bit integer. */
export const philoxLength = 2 ** 32;

/** Fills `out` with the words `offset ... offset + out.length - 1` of an address, within its 2^32. */
export function philoxWords(out: Uint32Array, address: PhiloxAddress, offset = 0): void {
  const block = new Uint32Array(4);
  const lead = Math.min((4 - (offset & 3)) & 3, out.length);
  if (lead > 0) {
    philoxBlocks(block, address, offset >>> 2);
    out.set(block.subarray(offset & 3, (offset & 3) + lead));
  }
  const whole = (out.length - lead) & ~3;
  philoxBlocks(out.subarray(lead, lead + whole), address, (offset + lead) / 4);
  if (lead + whole < out.length) {
    philoxBlocks(block, address, (offset + lead + whole) / 4);
    out.set(block.subarray(0, out.length - lead - whole), lead + whole);
  }
}

/** Fills whole blocks of four words, from block `firstBlock` on. */
export function philoxBlocks(out: Uint32Array, address: PhiloxAddress, firstBlock: number): void {
  const [key0, key1] = address.key;
  const [counter1, counter2, counter3] = address.counter;
  for (let at = 0; at < out.length; at += 4) {
    let c0 = firstBlock + (at >>> 2);
    let c1 = counter1;
    let c2 = counter2;
    let c3 = counter3;
    let k0 = key0;
    let k1 = key1;
    for (let round = 0; round < rounds; round++) {
      const high0 = multiplyHigh(c0, m0);
      const high1 = multiplyHigh(c2, m1);
      const low0 = Math.imul(c0, m0);
      const low1 = Math.imul(c2, m1);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 = (k0 + weyl0) | 0;
      k1 = (k1 + weyl1) | 0;
    }
    out[at] = c0;
    out[at + 1] = c1;
    out[at + 2] = c2;
    out[at + 3] = c3;
  }
}

/** The upper 32 bits of the 64-bit product of two unsigned words; schoolbook in halves, no term above 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const other = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}
