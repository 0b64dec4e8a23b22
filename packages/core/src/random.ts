/**
 * Seeded randomness by coordinates: every value is a pure function of (seed, stream name, coordinates, position).
 *
 * There is no generator object that advances, so results do not depend on the order of calls, on how work is batched or
 * on the number of workers, and a resumed run needs no generator state. The words come from Philox4x32-10
 * (`philox.ts`): the seed and the stream's name give its key (the first 64 bits of a SHA-256), coordinates and position
 * give its counter. Within a stream different coordinates can therefore never share a value; different streams are
 * independent up to a collision of 64-bit keys. Not for secrets.
 */
import { createHash } from 'node:crypto';
import { coreErrors } from './core-errors.ts';
import { normalQuantile } from './normal-quantile.ts';
import { type PhiloxAddress, philoxLength, philoxWords } from './philox.ts';

/** A sequence of 2^32 random words, known by where it stands; made by `RandomStream.at`. */
export type RandomAddress = PhiloxAddress;

export interface RandomStream {
  /**
   * The sequence at up to three coordinates, such as (step, prompt, sample): integers from 0 to 2^32 - 2. Fewer
   * coordinates make another sequence than the same ones followed by zeros.
   * @throws GVU_RANDOM_ARGUMENT
   */
  at(...coordinates: readonly number[]): RandomAddress;
}

/**
 * The random stream of a name, such as `rollout/tokens`, in a run: give each use of randomness its own name.
 * `seed` is an integer from 0 to 2^53 - 1.
 * @throws GVU_RANDOM_ARGUMENT
 */
export function randomStream(seed: number, name: string): RandomStream {
  requireInteger('The seed', seed, { low: 0, high: Number.MAX_SAFE_INTEGER });
  const digest = createHash('sha256').update(`gvu random stream v1\n${seed}\n${name}`).digest();
  const key: [number, number] = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
  return {
    at(...coordinates) {
      if (coordinates.length > 3) {
        throw coreErrors.error('GVU_RANDOM_ARGUMENT', `${coordinates.length} coordinates were given.`, {
          hint: 'Give at most three; the fourth is the position in the array that is filled.',
        });
      }
      for (const coordinate of coordinates) requireInteger('A coordinate', coordinate, { low: 0, high: 2 ** 32 - 2 });
      // 0 stands for "not given", so that at(1) and at(1, 0) differ.
      const [first = -1, second = -1, third = -1] = coordinates;
      return { key, counter: [first + 1, second + 1, third + 1] };
    },
  };
}

/** Which part of an address to fill with: `offset` is the position of the first value, 0 if not given. */
export interface FillOptions {
  offset?: number;
}

/**
 * Fills `out` with uniform values of the open interval (0, 1): `out[i]` is value `offset + i` of the address.
 * The values are the odd multiples of 2^-24, all exact in float32: none is or rounds to 0 or 1, and the mean is 1/2.
 * @throws GVU_RANDOM_ARGUMENT
 */
export function fillUniform(out: Float32Array, address: RandomAddress, options: FillOptions = {}): void {
  const words = wordsInPlace(out, address, options);
  for (let i = 0; i < out.length; i++) out[i] = (((words[i] ?? 0) >>> 8) | 1) * 2 ** -24;
}

/**
 * Fills `out` with standard normal values, each the quantile of one word, so |z| < 6.4: `out[i]` is value `offset + i`.
 * @throws GVU_RANDOM_ARGUMENT
 */
export function fillNormal(out: Float32Array, address: RandomAddress, options: FillOptions = {}): void {
  const words = wordsInPlace(out, address, options);
  for (let i = 0; i < out.length; i++) out[i] = normalQuantile(((words[i] ?? 0) + 0.5) * 2 ** -32);
}

/** Fills the memory of `out` with words; the caller replaces each by the value that it makes of it. */
function wordsInPlace(out: Float32Array, address: RandomAddress, { offset = 0 }: FillOptions): Uint32Array {
  requireInteger('The offset', offset, { low: 0, high: philoxLength - out.length });
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  philoxWords(words, address, offset);
  return words;
}

/**
 * Fills `out` with integers `low <= x < high`, each equally likely (no modulo bias).
 * @throws GVU_RANDOM_ARGUMENT when the range is empty or not within int32.
 */
export function fillIntegers(out: Int32Array, address: RandomAddress, range: { low: number; high: number }): void {
  const { low, high } = range;
  requireInteger('The lower end', low, { low: -(2 ** 31), high: 2 ** 31 - 1 });
  requireInteger('The upper end (exclusive)', high, { low: low + 1, high: 2 ** 31 });
  const next = wordReader(address);
  for (let i = 0; i < out.length; i++) out[i] = low + integerBelow(high - low, next);
}

/** A copy of `items` in random order (Fisher-Yates), each order equally likely up to the generator's 2^32 words. */
export function shuffled<T>(items: readonly T[], address: RandomAddress): T[] {
  const next = wordReader(address);
  const out = [...items];
  for (let last = out.length - 1; last > 0; last--) {
    const other = integerBelow(last + 1, next);
    // Both indices lie within the array, whose elements may be undefined themselves.
    [out[last], out[other]] = [out[other] as T, out[last] as T];
  }
  return out;
}

/**
 * An index into `weights` with probability proportional to its weight; an index of weight 0 never.
 * @throws GVU_RANDOM_ARGUMENT when a weight is negative or not finite, or when the sum is not a positive finite number.
 */
export function weightedChoice(weights: ArrayLike<number>, address: RandomAddress): number {
  let total = 0;
  let lastPossible = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    if (!(weight >= 0)) {
      throw coreErrors.error('GVU_RANDOM_ARGUMENT', `Weight ${i} is ${weight}.`, {
        hint: 'Weights must be at least 0.',
      });
    }
    if (weight > 0) lastPossible = i;
    total += weight;
  }
  if (!(total > 0 && total < Number.POSITIVE_INFINITY)) {
    throw coreErrors.error('GVU_RANDOM_ARGUMENT', `The ${weights.length} weights sum to ${total}.`, {
      hint: 'Their sum must be positive and finite.',
    });
  }
  const [high, low] = firstWords(address);
  // 53 bits, the density of a float64 in [0, 1).
  let left = ((high >>> 5) * 2 ** 26 + (low >>> 6)) * 2 ** -53 * total;
  for (let i = 0; i < lastPossible; i++) {
    left -= weights[i] ?? 0;
    if (left < 0) return i;
  }
  return lastPossible;
}

function firstWords(address: RandomAddress): [number, number] {
  const words = new Uint32Array(2);
  philoxWords(words, address);
  return [words[0] ?? 0, words[1] ?? 0];
}

/** Reads the words of an address one after the other, for functions whose need of words is not known before. */
function wordReader(address: RandomAddress): () => number {
  const words = new Uint32Array(64);
  let position = 0;
  return () => {
    const within = position % words.length;
    if (within === 0) philoxWords(words, address, position);
    position++;
    return words[within] ?? 0;
  };
}

/** An integer of [0, bound), bound <= 2^32, each equally likely: words of the incomplete last multiple are drawn again. */
function integerBelow(bound: number, next: () => number): number {
  const end = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const word = next();
    if (word < end) return word % bound;
  }
}

function requireInteger(what: string, value: number, range: { low: number; high: number }): void {
  if (Number.isInteger(value) && value >= range.low && value <= range.high) return;
  throw coreErrors.error('GVU_RANDOM_ARGUMENT', `${what} is ${value}.`, {
    hint: `It must be an integer from ${range.low} to ${range.high}.`,
  });
}
