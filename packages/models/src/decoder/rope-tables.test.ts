import { toNumbers } from '@gvu/onnx';
import { describe, expect, it } from 'vitest';
import type { RopeScaling } from './config.ts';
import { inverseFrequencies, ropeTables } from './rope-tables.ts';

const plain = { headDim: 8, ropeTheta: 10_000, ropeScaling: { type: 'default' } as RopeScaling };
const llama3: RopeScaling = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalPositions: 64,
};

describe('inverseFrequencies', () => {
  it('fall from 1 by powers of theta, rounded to float32', () => {
    expect(inverseFrequencies(plain)).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
  });

  it('are divided by the factor under linear scaling', () => {
    const scaled = inverseFrequencies({ ...plain, ropeScaling: { type: 'linear', factor: 4 } });
    expect(scaled).toEqual([0.25, 0.025, 0.0025, 0.00025].map((value) => expect.closeTo(value, 8)));
  });

  it('under Llama 3.1 scaling: fast rotations stay, slow ones are divided, those between lie between', () => {
    // Wavelengths 2 pi, 63, 628 … against 64 / 4 (kept below it) and 64 / 1 (divided above it).
    const [first, second, third, fourth] = inverseFrequencies({ ...plain, ropeScaling: llama3 });
    expect(first).toBe(1);
    const wavelength = (2 * Math.PI) / Math.fround(0.1);
    const blend = (64 / wavelength - 1) / 3;
    expect(second).toBeCloseTo((1 - blend) * (0.1 / 8) + blend * 0.1, 7);
    expect(second).toBeLessThan(0.1);
    expect(third).toBe(Math.fround(Math.fround(0.01) / 8));
    expect(fourth).toBe(Math.fround(Math.fround(0.001) / 8));
  });

  it('have no gap where the kinds of Llama 3.1 scaling meet', () => {
    const at = (wavelength: number) => {
      const config = { headDim: 4, ropeTheta: (wavelength / (2 * Math.PI)) ** 2, ropeScaling: llama3 };
      return inverseFrequencies(config)[1] ?? Number.NaN;
    };
    for (const edge of [16, 64]) expect(at(edge * 0.9999) / at(edge * 1.0001)).toBeCloseTo(1, 2);
  });
});

describe('ropeTables', () => {
  it('are the cosines and sines of position times frequency', () => {
    const { cos, sin } = ropeTables(plain, 5, 'float64');
    expect(cos.shape).toEqual([5, 4]);
    const [c, s] = [toNumbers(cos), toNumbers(sin)];
    for (const [i, frequency] of inverseFrequencies(plain).entries()) {
      expect(c[3 * 4 + i]).toBeCloseTo(Math.cos(3 * frequency), 7);
      expect(s[3 * 4 + i]).toBeCloseTo(Math.sin(3 * frequency), 7);
    }
    expect(c.slice(0, 4)).toEqual([1, 1, 1, 1]);
  });

  it('round the angle to float32 in every dtype, as the reference implementation does', () => {
    const config = { headDim: 2, ropeTheta: 10_000, ropeScaling: { type: 'linear', factor: 3 } } as const;
    const angle = Math.fround(100_000 * Math.fround(1 / 3));
    const { cos } = ropeTables(config, 100_001, 'float64');
    expect(toNumbers(cos).at(-1)).toBe(Math.cos(angle));
  });
});
