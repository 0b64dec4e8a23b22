/**
 * The statistical tests use fixed seeds, so they pass or fail for ever; each limit is far out in the tail of its
 * statistic (about 1e-5), so a defect fails it while a new stream name hardly can.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  fillIntegers,
  fillNormal,
  fillUniform,
  type RandomAddress,
  randomStream,
  shuffled,
  weightedChoice,
} from './random.ts';

const stream = randomStream(42, 'test');

function uniform(length: number, address: RandomAddress, offset = 0): Float32Array {
  const out = new Float32Array(length);
  fillUniform(out, address, { offset });
  return out;
}

function normal(length: number, address: RandomAddress): Float32Array {
  const out = new Float32Array(length);
  fillNormal(out, address);
  return out;
}

function integers(length: number, address: RandomAddress, range: { low: number; high: number }): Int32Array {
  const out = new Int32Array(length);
  fillIntegers(out, address, range);
  return out;
}

/** Chi-square of counts against expected counts, as standard deviations from its mean (bins - 1). */
function chiSquareDeviation(counts: ArrayLike<number>, expected: (bin: number) => number): number {
  let sum = 0;
  for (let bin = 0; bin < counts.length; bin++) sum += ((counts[bin] ?? 0) - expected(bin)) ** 2 / expected(bin);
  const freedom = counts.length - 1;
  return (sum - freedom) / Math.sqrt(2 * freedom);
}

function countsOf(bins: number, values: Iterable<number>): Float64Array {
  const counts = new Float64Array(bins);
  for (const bin of values) counts[bin] = (counts[bin] ?? 0) + 1;
  return counts;
}

/** Kolmogorov-Smirnov distance of a sample from a distribution function, times sqrt(n); above 2.5 has p < 1e-5. */
function kolmogorovSmirnov(sample: Float32Array, distribution: (x: number) => number): number {
  const sorted = sample.toSorted();
  let distance = 0;
  sorted.forEach((x, i) => {
    const p = distribution(x);
    distance = Math.max(distance, p - i / sorted.length, (i + 1) / sorted.length - p);
  });
  return distance * Math.sqrt(sorted.length);
}

/** Correlation of two samples, times sqrt(n): about standard normal if they are independent. */
function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array): number => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((x, i) => {
    const y = b[i] ?? 0;
    ab += (x - meanA) * (y - meanB);
    aa += (x - meanA) ** 2;
    bb += (y - meanB) ** 2;
  });
  return (ab / Math.sqrt(aa * bb)) * Math.sqrt(a.length);
}

/** Abramowitz and Stegun 7.1.26: absolute error below 1e-7, enough for a test of 1e5 values. */
function normalDistribution(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const half = (1 - series * Math.exp(-x * x)) / 2;
  return z < 0 ? 0.5 - half : 0.5 + half;
}

describe('addresses', () => {
  test('give the same values for ever', () => {
    // Changing these breaks the resume of every run that exists. A Python program gave the same numbers.
    expect(Array.from(uniform(3, randomStream(1, 'golden').at(1, 2, 3)))).toMatchInlineSnapshot(`
      [
        0.1026042103767395,
        0.1686961054801941,
        0.21691614389419556,
      ]
    `);
    expect(Array.from(normal(3, randomStream(1, 'golden').at(1, 2, 3)))).toMatchInlineSnapshot(`
      [
        -1.2668511867523193,
        -0.9593304395675659,
        -0.7826507091522217,
      ]
    `);
  });

  test('do not depend on order, batching or the process', () => {
    const address = stream.at(7, 1, 2);
    const whole = uniform(101, address);
    uniform(5, stream.at(9));
    const secondPart = uniform(50, address, 51);
    const firstPart = uniform(51, address);
    expect([...firstPart, ...secondPart]).toEqual([...whole]);

    const script = `
      const { randomStream, fillUniform } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'random.ts')).href)});
      const out = new Float32Array(101);
      fillUniform(out, randomStream(42, 'test').at(7, 1, 2));
      process.stdout.write(JSON.stringify([...out]));`;
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script]);
    expect(JSON.parse(output.toString())).toEqual([...whole]);
  });

  test('that differ in one part give other values', () => {
    const addresses = [
      stream.at(),
      stream.at(0),
      stream.at(0, 0),
      stream.at(0, 0, 0),
      stream.at(1),
      stream.at(0, 1),
      stream.at(0, 0, 1),
      stream.at(2 ** 32 - 2),
      randomStream(43, 'test').at(),
      randomStream(42 + 2 ** 32, 'test').at(),
      randomStream(42, 'test ').at(),
      randomStream(4, '2\ntest').at(),
    ];
    const firsts = new Set(addresses.map((address) => uniform(4, address).join()));
    expect(firsts.size).toBe(addresses.length);
  });

  test.each([
    ['a negative seed', () => randomStream(-1, 'x')],
    ['a fractional seed', () => randomStream(0.5, 'x')],
    ['a seed beyond 2^53', () => randomStream(2 ** 53, 'x')],
    ['a coordinate of NaN', () => stream.at(Number.NaN)],
    ['a negative coordinate', () => stream.at(0, -1)],
    ['a coordinate of 2^32 - 1', () => stream.at(2 ** 32 - 1)],
    ['four coordinates', () => stream.at(1, 2, 3, 4)],
    ['a negative offset', () => uniform(4, stream.at(), -1)],
    ['a part beyond the end', () => uniform(4, stream.at(), 2 ** 32 - 3)],
    ['an empty range', () => integers(1, stream.at(), { low: 3, high: 3 })],
    ['a range beyond int32', () => integers(1, stream.at(), { low: 0, high: 2 ** 31 + 1 })],
    ['a negative weight', () => weightedChoice([1, -1], stream.at())],
    ['a weight of NaN', () => weightedChoice([1, Number.NaN], stream.at())],
    ['infinite weights', () => weightedChoice([1, Number.POSITIVE_INFINITY], stream.at())],
    ['weights of sum 0', () => weightedChoice([0, 0], stream.at())],
    ['no weights', () => weightedChoice([], stream.at())],
  ])('refuse %s', (_, run) => {
    expect(run).toThrow(expect.objectContaining({ code: 'GVU_RANDOM_ARGUMENT' }));
  });
});

describe('uniform values', () => {
  const sample = uniform(1 << 17, stream.at(0));

  test('are odd multiples of 2^-24, so inside (0, 1) also in float32', () => {
    for (const value of sample) {
      const multiple = value * 2 ** 24;
      if (!(Number.isInteger(multiple) && multiple % 2 === 1 && value > 0 && value < 1)) expect.fail(`${value}`);
    }
    // The two ends of the range are exact in float32.
    expect(Math.fround(2 ** -24)).toBe(2 ** -24);
    expect(Math.fround((2 ** 24 - 1) / 2 ** 24)).toBeLessThan(1);
  });

  test('are uniform: chi-square on 256 bins of the highest and the lowest bits, Kolmogorov-Smirnov', () => {
    const expected = sample.length / 256;
    const high = countsOf(
      256,
      sample.map((x) => Math.floor(x * 256)),
    );
    const low = countsOf(
      256,
      sample.map((x) => ((x * 2 ** 24 - 1) / 2) % 256),
    );
    expect(Math.abs(chiSquareDeviation(high, () => expected))).toBeLessThan(4.5);
    expect(Math.abs(chiSquareDeviation(low, () => expected))).toBeLessThan(4.5);
    expect(kolmogorovSmirnov(sample, (x) => x)).toBeLessThan(2.5);
  });

  test('are independent of their neighbours: pairs on a grid of 32 x 32', () => {
    const pairs = Array.from({ length: sample.length / 2 }, (_, i) => {
      const [x = 0, y = 0] = sample.subarray(2 * i, 2 * i + 2);
      return Math.floor(x * 32) * 32 + Math.floor(y * 32);
    });
    expect(Math.abs(chiSquareDeviation(countsOf(1024, pairs), () => pairs.length / 1024))).toBeLessThan(4.5);
    for (const lag of [1, 2, 3, 4, 5, 8, 64]) {
      expect(Math.abs(correlation(sample.subarray(lag), sample.subarray(0, -lag)))).toBeLessThan(4.5);
    }
  });

  test('are uniform and independent across seeds, streams and each coordinate too', () => {
    const addressings: Record<string, (i: number) => RandomAddress> = {
      seed: (i) => randomStream(i, 'test').at(),
      stream: (i) => randomStream(42, `test/${i}`).at(),
      step: (i) => stream.at(i, 5, 5),
      prompt: (i) => stream.at(5, i, 5),
      sample: (i) => stream.at(5, 5, i),
    };
    for (const [name, addressOf] of Object.entries(addressings)) {
      const firsts = new Float32Array(1 << 14);
      for (let i = 0; i < firsts.length; i++) firsts.set(uniform(1, addressOf(i)), i);
      const counts = countsOf(
        64,
        firsts.map((x) => Math.floor(x * 64)),
      );
      expect(Math.abs(chiSquareDeviation(counts, () => firsts.length / 64)), name).toBeLessThan(4.5);
      expect(
        kolmogorovSmirnov(firsts, (x) => x),
        name,
      ).toBeLessThan(2.5);
      expect(Math.abs(correlation(firsts.subarray(1), firsts.subarray(0, -1))), name).toBeLessThan(4.5);
    }
  });

  test('of two streams, and of neighbouring coordinates, are uncorrelated', () => {
    const others = [
      randomStream(42, 'tesu').at(0),
      randomStream(43, 'test').at(0),
      stream.at(1),
      stream.at(0, 0),
      stream.at(0, 0, 0),
    ];
    for (const other of others) {
      expect(Math.abs(correlation(sample, uniform(sample.length, other)))).toBeLessThan(4.5);
    }
  });
});

describe('normal values', () => {
  const sample = normal(1 << 17, stream.at(3));

  test('are normal: Kolmogorov-Smirnov, moments and tails', () => {
    expect(kolmogorovSmirnov(sample, normalDistribution)).toBeLessThan(2.5);
    const moment = (power: number): number => sample.reduce((sum, z) => sum + z ** power, 0) / sample.length;
    const error = 4.5 / Math.sqrt(sample.length);
    expect(Math.abs(moment(1))).toBeLessThan(error); // sd of z is 1
    expect(Math.abs(moment(2) - 1)).toBeLessThan(error * Math.sqrt(2));
    expect(Math.abs(moment(3))).toBeLessThan(error * Math.sqrt(15));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(error * Math.sqrt(96));
    const beyond3 = sample.filter((z) => Math.abs(z) > 3).length;
    expect(Math.abs(beyond3 - 0.0026998 * sample.length)).toBeLessThan(4.5 * Math.sqrt(0.0026998 * sample.length));
  });

  test('are uncorrelated with their neighbours', () => {
    for (const lag of [1, 2, 3, 4]) {
      expect(Math.abs(correlation(sample.subarray(lag), sample.subarray(0, -lag)))).toBeLessThan(4.5);
    }
  });

  test('can be filled into a part of a larger array', () => {
    const out = new Float32Array(10);
    fillNormal(out.subarray(3, 7), stream.at(3), { offset: 2 });
    expect([...out]).toEqual([0, 0, 0, ...sample.slice(2, 6), 0, 0, 0]);
  });
});

describe('integers', () => {
  test('reach both ends and nothing beyond', () => {
    expect(new Set(integers(1000, stream.at(), { low: -2, high: 2 }))).toEqual(new Set([-2, -1, 0, 1]));
    expect(integers(3, stream.at(), { low: 2 ** 31 - 1, high: 2 ** 31 })).toEqual(new Int32Array(3).fill(2 ** 31 - 1));
  });

  test('have no modulo bias in a range where plain modulo would have much', () => {
    // Of 3 * 2^30 values, modulo would give the lowest third twice the probability of each other.
    const range = { low: -(2 ** 31), high: 2 ** 30 };
    const thirds = countsOf(
      3,
      Array.from(integers(1 << 16, stream.at(), range), (x) => Math.floor((x - range.low) / 2 ** 30)),
    );
    expect(Math.abs(chiSquareDeviation(thirds, () => 2 ** 16 / 3))).toBeLessThan(4.5);
  });
});

describe('shuffled', () => {
  test('keeps the items and the input', () => {
    const items = Object.freeze(['a', 'b', undefined, 'd']);
    const out = shuffled(items, stream.at());
    expect(out).toHaveLength(4);
    expect(new Set(out)).toEqual(new Set(items));
    expect(items).toEqual(['a', 'b', undefined, 'd']);
    expect(shuffled([], stream.at())).toEqual([]);
  });

  test('makes each of the 24 orders of four equally likely', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = shuffled([0, 1, 2, 3], stream.at(i)).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(Math.abs(chiSquareDeviation([...counts.values()], () => 1000))).toBeLessThan(4.5);
  });
});

describe('weightedChoice', () => {
  test('follows the weights and never takes one of 0', () => {
    const weights = [0, 1, 0, 2, 5, 0];
    const counts = countsOf(
      6,
      Array.from({ length: 16_000 }, (_, i) => weightedChoice(weights, stream.at(i))),
    );
    expect([counts[0], counts[2], counts[5]]).toEqual([0, 0, 0]);
    const possible = [counts[1] ?? 0, counts[3] ?? 0, counts[4] ?? 0];
    expect(Math.abs(chiSquareDeviation(possible, (bin) => [2000, 4000, 10_000][bin] ?? 0))).toBeLessThan(4.5);
  });

  test('accepts weights of any scale', () => {
    expect(weightedChoice([0, 5e-324], stream.at())).toBe(1);
    expect(weightedChoice(new Float32Array([0, 0, 3e38]), stream.at())).toBe(2);
  });
});
