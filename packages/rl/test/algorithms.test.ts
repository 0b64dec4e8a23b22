/** What must hold for every algorithm, whatever its formula: properties of the gradient with respect to the log-probabilities. */
import { fillNormal, randomStream } from '@gvu/core';
import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../src/algorithm.ts';
import { cispo, cispoConfig } from '../src/algorithms/cispo.ts';
import { grpo, grpoConfig } from '../src/algorithms/grpo.ts';
import { reinforcePlusPlus, reinforcePlusPlusConfig } from '../src/algorithms/reinforce-plus-plus.ts';
import { rloo, rlooConfig } from '../src/algorithms/rloo.ts';
import { sapo, sapoConfig } from '../src/algorithms/sapo.ts';
import { vespo, vespoConfig } from '../src/algorithms/vespo.ts';
import { useSharedRuntime } from './evaluate.ts';
import { type BatchValues, runLoss, runLosses } from './run-losses.ts';

useSharedRuntime();

const source = { source: 'test' };
const algorithms: Readonly<Record<string, (options?: object) => Algorithm>> = {
  grpo: (options) => grpo(grpoConfig.parse({ ...options }, source)),
  'grpo dr_grpo': (options) => grpo(grpoConfig.parse({ reduction: 'dr_grpo', scale: 'none', ...options }, source)),
  dapo: (options) => grpo(grpoConfig.parse({ reduction: 'dapo', epsilonHigh: 0.28, ...options }, source)),
  gspo: (options) =>
    grpo(grpoConfig.parse({ ratio: 'sequence', epsilon: 3e-4, epsilonHigh: 4e-4, ...options }, source)),
  luspo: (options) => grpo(grpoConfig.parse({ ratio: 'sequence', reduction: 'luspo', ...options }, source)),
  cispo: (options) => cispo(cispoConfig.parse({ ...options }, source)),
  sapo: (options) => sapo(sapoConfig.parse({ ...options }, source)),
  vespo: (options) => vespo(vespoConfig.parse({ ...options }, source)),
  rloo: (options) => rloo(rlooConfig.parse({ ...options }, source)),
  'reinforce++': (options) => reinforcePlusPlus(reinforcePlusPlusConfig.parse({ ...options }, source)),
};
const names = Object.keys(algorithms);
const withKl = names.filter((name) => name !== 'rloo');

const [rows, length] = [4, 6];
const seed = 20_260_306;

function normal(name: string, scale = 1): number[][] {
  const stream = randomStream(seed, name);
  return Array.from({ length: rows }, (_, b) => {
    const values = new Float32Array(length);
    fillNormal(values, stream.at(b));
    return Array.from(values, (value) => scale * value);
  });
}

const mask = [
  [1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 0, 0],
  [1, 0, 1, 1, 1, 0],
  [1, 1, 0, 0, 0, 0],
];
const full = mask.map((row) => row.map(() => 1));
const logp = normal('logp').map((row) => row.map((value) => -1 - Math.abs(value)));
const near = (name: string, scale: number) => {
  const noise = normal(name, scale);
  return logp.map((row, b) => row.map((value, t) => value + (noise[b]?.[t] ?? 0)));
};
const batch: BatchValues = {
  logp,
  mask,
  advantages: [1.5, -0.5, 0.25, -1.25],
  oldLogp: near('old', 0.02),
  globalTokens: mask.flat().reduce((sum, one) => sum + one, 0),
};
const onPolicy: BatchValues = { ...batch, oldLogp: undefined };
const grid = (values: readonly number[]) =>
  Array.from({ length: rows }, (_, b) => values.slice(b * length, (b + 1) * length));

describe.each(names)('%s', (name) => {
  const make = algorithms[name] ?? (() => grpo(grpoConfig.parse({}, source)));

  it('has no gradient without advantages', async () => {
    const { gradient } = await runLoss(make(), { ...batch, advantages: [0, 0, 0, 0] });
    expect(gradient.map(Math.abs)).toEqual(Array(rows * length).fill(0));
  });

  it('makes what went well likelier and what went badly less likely', async () => {
    const { gradient } = await runLoss(make(), onPolicy);
    for (const [b, row] of grid(gradient).entries())
      for (const [t, slope] of row.entries())
        expect(Math.sign(slope), `${b}, ${t}`).toBe(mask[b]?.[t] ? -Math.sign(batch.advantages[b] ?? 0) : 0);
  });

  it('is REINFORCE on policy: the gradient of - A log p, reduced in its way', async () => {
    const { gradient, metrics } = await runLoss(make(), onPolicy);
    expect(metrics['ratio/mean']).toBe(1);
    expect(metrics['ratio/max']).toBe(1);
    const counts = mask.map((row) => row.reduce((sum, one) => sum + one, 0));
    const total = batch.globalTokens ?? 0;
    const divisors: Record<string, (b: number) => number> = {
      'grpo dr_grpo': () => rows * length,
      dapo: () => total,
      // The sum over a rollout of its mean log-ratio.
      luspo: () => rows,
      cispo: () => total,
      vespo: () => total,
      rloo: () => rows,
      'reinforce++': () => total,
    };
    const divisor = divisors[name] ?? ((b: number) => rows * (counts[b] ?? 0));
    for (const [b, row] of grid(gradient).entries())
      for (const [t, slope] of row.entries())
        expect(slope).toBeCloseTo((-(mask[b]?.[t] ?? 0) * (batch.advantages[b] ?? 0)) / divisor(b), 12);
  });

  it('is the same on policy whether the old log-probabilities are given or not', async () => {
    const [without, given] = await runLosses([
      { algorithm: make(), batch: onPolicy },
      { algorithm: make(), batch: { ...batch, oldLogp: logp } },
    ]);
    expect(given).toEqual(without);
  });

  it('does not see what the mask hides, not even NaN', async () => {
    const hide = (values: readonly (readonly number[])[], hidden: number) =>
      values.map((row, b) => [...row.map((value, t) => (mask[b]?.[t] ? value : hidden)), hidden, hidden]);
    const hidden = (value: number): BatchValues => ({
      ...batch,
      maxLength: length,
      logp: hide(logp, value),
      mask: mask.map((row) => [...row, 0, 0]),
      oldLogp: hide(batch.oldLogp ?? [], -value),
      refLogp: hide(near('ref', 0.1), value),
      entropy: hide(near('entropy', 0.1), value),
    });
    const values = [0, -1e30, Number.NaN, Number.NEGATIVE_INFINITY];
    const algorithm = make();
    const [plain] = await runLosses([
      { algorithm, batch: { ...batch, refLogp: near('ref', 0.1), entropy: near('entropy', 0.1) } },
    ]);
    for (const found of await runLosses(values.map((value) => ({ algorithm, batch: hidden(value) })))) {
      expect(found.loss).toBeCloseTo(plain?.loss ?? Number.NaN, 12);
      for (const [key, value] of Object.entries(found.metrics))
        expect(value, key).toBeCloseTo(plain?.metrics[key] ?? Number.NaN, 12);
      for (let b = 0; b < rows; b++)
        for (let t = 0; t < length + 2; t++) {
          const expected = t < length ? (plain?.gradient[b * length + t] ?? Number.NaN) : 0;
          expect(found.gradient[b * (length + 2) + t]).toBeCloseTo(expected, 12);
        }
    }
  });

  it('adds up over micro-batches to the whole batch', async () => {
    const half = (from: number): BatchValues => ({
      ...batch,
      logp: logp.slice(from, from + 2),
      // Equal counts, so that a mean over a micro-batch is half of the mean over the batch.
      mask: full.slice(from, from + 2),
      advantages: batch.advantages.slice(from, from + 2),
      oldLogp: batch.oldLogp?.slice(from, from + 2),
      globalTokens: rows * length,
      microBatches: 2,
    });
    const [whole, first, second] = await runLosses([
      { algorithm: make(), batch: { ...batch, mask: full, globalTokens: rows * length } },
      { algorithm: make(), batch: half(0) },
      { algorithm: make(), batch: half(2) },
    ]);
    const parts = [...(first?.gradient ?? []), ...(second?.gradient ?? [])];
    expect((first?.loss ?? 0) + (second?.loss ?? 0)).toBeCloseTo(whole?.loss ?? Number.NaN, 12);
    for (const [i, slope] of parts.entries()) expect(slope).toBeCloseTo(whole?.gradient[i] ?? Number.NaN, 12);
  });
});

describe.each(withKl)('%s with a KL divergence', (name) => {
  const make = algorithms[name] ?? (() => grpo(grpoConfig.parse({}, source)));

  it('pulls towards the reference, and asks for it', async () => {
    const algorithm = make({ beta: 0.1 });
    expect(algorithm.needs.loss).toContain('refLogp');
    const refLogp = logp.map((row) => row.map((value, t) => value + (t % 2 === 0 ? 0.5 : -0.5)));
    const idle = { ...onPolicy, advantages: [0, 0, 0, 0] };
    const { gradient, metrics } = await runLoss(algorithm, { ...idle, refLogp });
    for (const [b, row] of grid(gradient).entries())
      for (const [t, slope] of row.entries()) expect(Math.sign(slope)).toBe(mask[b]?.[t] ? (t % 2 === 0 ? -1 : 1) : 0);
    expect(metrics.kl).toBeGreaterThan(0);
    const there = await runLoss(algorithm, { ...idle, refLogp: logp });
    expect(there.gradient.map(Math.abs)).toEqual(Array(rows * length).fill(0));
    expect(there.metrics.kl).toBe(0);
  });

  it('reports the divergence without a penalty when the reference is given', async () => {
    const { gradient, metrics } = await runLoss(make(), { ...batch, refLogp: near('ref', 0.3) });
    expect(gradient).toEqual((await runLoss(make(), batch)).gradient);
    expect(metrics.kl).toBeGreaterThan(0);
  });
});

describe('reductions', () => {
  it('are one number when all rollouts have the same length', async () => {
    const reductions = ['grpo', 'bnpo', 'dapo', 'dr_grpo'] as const;
    const fixed = { ...batch, mask: full, refLogp: near('ref', 0.3), maxLength: length, globalTokens: rows * length };
    const results = await runLosses(
      reductions.map((reduction) => ({
        algorithm: grpo(grpoConfig.parse({ reduction, beta: 0.04 }, source)),
        batch: fixed,
      })),
    );
    for (const { loss, gradient } of results) {
      expect(loss).toBeCloseTo(results[0]?.loss ?? Number.NaN, 12);
      for (const [i, slope] of gradient.entries()) expect(slope).toBeCloseTo(results[0]?.gradient[i] ?? Number.NaN, 12);
    }
  });

  it('survive rows in which nothing counts', async () => {
    const empty = mask.map((row, b) => (b === 1 ? row.map(() => 0) : row));
    for (const name of names) {
      const { loss, gradient } = await runLoss(algorithms[name]?.() ?? rloo(rlooConfig.parse({}, source)), {
        ...batch,
        mask: empty,
      });
      expect(Number.isFinite(loss), name).toBe(true);
      expect(gradient.slice(length, 2 * length)).toEqual(Array(length).fill(0));
    }
  });
});

describe('clipping', () => {
  const one = (logRatio: number, advantage: number, options: object) =>
    runLoss(grpo(grpoConfig.parse(options, source)), {
      logp: [[-1 + logRatio]],
      oldLogp: [[-1]],
      mask: [[1]],
      advantages: [advantage],
    });

  it.each([
    ['up, when the advantage is positive', Math.log(1.3), 1, { epsilon: 0.2 }, 0, 'clip/high'],
    ['not yet below epsilonHigh', Math.log(1.25), 1, { epsilon: 0.2, epsilonHigh: 0.28 }, -1.25, undefined],
    ['down, when the advantage is negative', Math.log(0.7), -1, { epsilon: 0.2 }, 0, 'clip/low'],
    ['not down, when the advantage is positive', Math.log(0.7), 1, { epsilon: 0.2 }, -0.7, undefined],
    ['not up, when the advantage is negative', Math.log(3), -1, { epsilon: 0.2 }, 3, undefined],
    ['but for delta', Math.log(3), -1, { epsilon: 0.2, delta: 2 }, 0, undefined],
    [
      'by a delta below the range, which is no clipping by it',
      Math.log(1.3),
      1,
      { epsilon: 0.2, delta: 1.02 },
      0,
      undefined,
    ],
  ] as const)('stops the gradient %s', async (_, logRatio, advantage, options, slope, metric) => {
    const { gradient, metrics } = await one(logRatio, advantage, options);
    expect(gradient[0]).toBeCloseTo(slope, 12);
    for (const key of ['clip/low', 'clip/high'] as const) expect(metrics[key], key).toBe(metric === key ? 1 : 0);
    expect(metrics['clip/region']).toBe(metric ? 1 : 0);
  });

  it('never stops CISPO, whose weight is only capped', async () => {
    const algorithm = cispo(cispoConfig.parse({ maxRatio: 1.2 }, source));
    const far = { logp: [[0]], oldLogp: [[-2]], mask: [[1]], advantages: [1], globalTokens: 1 };
    const { gradient, metrics } = await runLoss(algorithm, far);
    expect(gradient[0]).toBeCloseTo(-1.2, 12);
    expect(metrics['clip/high']).toBe(1);
  });

  it('is no clipping in SAPO and VESPO, whose gradient fades', async () => {
    const at = (logRatio: number) => ({
      logp: [[logRatio - 9]],
      oldLogp: [[-9]],
      mask: [[1]],
      advantages: [1],
      globalTokens: 1,
    });
    // The slope with respect to log p first rises with the ratio itself.
    for (const make of [algorithms.sapo, algorithms.vespo]) {
      const slopes = await runLosses(
        [0, 2, 3].map((ratio) => ({ algorithm: make?.() ?? rloo(rlooConfig.parse({}, source)), batch: at(ratio) })),
      );
      const sizes = slopes.map(({ gradient }) => Math.abs(gradient[0] ?? Number.NaN));
      expect(sizes[0]).toBeCloseTo(1, 12);
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
      expect(sizes[2]).toBeLessThan(1e-3);
    }
  });
});
