import { fillUniform, randomStream } from '@gvu/core';
import { gradients, mean, output, sum } from '@gvu/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, float64, type Precision, useSharedRuntime } from '../test/evaluate.ts';
import { klEstimate } from './kl.ts';

useSharedRuntime();

const estimators = ['k1', 'k2', 'k3'] as const;

async function estimates(logp: readonly number[], refLogp: readonly number[], precision: Precision = float64) {
  return await evaluate((declare) => {
    const [p, q] = [declare('logp', logp), declare('refLogp', refLogp)];
    for (const estimator of estimators) {
      const kl = klEstimate(estimator, p, q);
      output(estimator, kl);
      output(`${estimator} mean`, mean(kl));
      output(`${estimator} gradient`, gradients(sum(kl), [p])[0] ?? kl);
    }
  }, precision);
}

describe('estimators of the KL divergence', () => {
  it('are what Schulman writes, with the gradients that follow', async () => {
    const found = await estimates([-1, -2], [-1.5, -1]);
    expect(found.k1).toEqual([0.5, -1]);
    expect(found.k2).toEqual([0.125, 0.5]);
    expect(found.k3?.[0]).toBeCloseTo(Math.exp(-0.5) + 0.5 - 1, 12);
    expect(found.k3?.[1]).toBeCloseTo(Math.E - 2, 12);
    expect(found['k1 gradient']).toEqual([1, 1]);
    expect(found['k2 gradient']).toEqual([0.5, -1]);
    expect(found['k3 gradient']?.[0]).toBeCloseTo(1 - Math.exp(-0.5), 12);
  });

  it('are exactly zero where policy and reference agree', async () => {
    const found = await estimates([-0.1, -7, 0], [-0.1, -7, 0], { target: 'cpu', dtype: 'float32' });
    for (const estimator of estimators) expect(found[estimator]?.map(Math.abs)).toEqual([0, 0, 0]);
  });

  it('k2 and k3 are never below zero but for rounding', async () => {
    const logps = fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { minLength: 64, maxLength: 64 });
    const near = fc.array(fc.double({ min: -1e-3, max: 1e-3, noNaN: true }), { minLength: 64, maxLength: 64 });
    await fc.assert(
      fc.asyncProperty(logps, fc.oneof(logps, near), fc.boolean(), async (logp, other, close) => {
        const refLogp = other.map((value, i) => (close ? (logp[i] ?? 0) + value / 100 : value));
        const exact = await estimates(logp, refLogp);
        const single = await estimates(logp, refLogp, { target: 'cpu', dtype: 'float32' });
        for (const estimator of ['k2', 'k3'] as const) {
          expect(Math.min(...(exact[estimator] ?? [Number.NaN]))).toBeGreaterThan(-1e-14);
          expect(Math.min(...(single[estimator] ?? [Number.NaN]))).toBeGreaterThan(-1e-5);
        }
      }),
      { seed: 20_260_306, numRuns: 8 },
    );
  });

  it('k1 and k3 are right on average over samples of the policy, and k3 varies less', async () => {
    const seed = 7;
    const [policy, reference] = [softmax([0.3, -0.4, 1.1, 0, -1.2]), softmax([0, 0.2, 0.6, 0.1, -0.9])];
    const divergence = policy.reduce((sum, p, i) => sum + p * Math.log(p / (reference[i] ?? Number.NaN)), 0);
    const uniform = new Float32Array(200_000);
    fillUniform(uniform, randomStream(seed, 'kl').at(0));
    const draws = Array.from(uniform, (u) => {
      let [index, left] = [0, u];
      while (left > (policy[index] ?? 1) && index < policy.length - 1) left -= policy[index++] ?? 0;
      return index;
    });
    const logs = (p: readonly number[]) => draws.map((index) => Math.log(p[index] ?? Number.NaN));
    const found = await estimates(logs(policy), logs(reference));
    const deviation = (values: readonly number[] = []) =>
      Math.sqrt(values.reduce((sum, value) => sum + (value - divergence) ** 2, 0) / values.length);
    for (const estimator of ['k1', 'k3'] as const) {
      const standardError = deviation(found[estimator]) / Math.sqrt(draws.length);
      const error = (found[`${estimator} mean`]?.[0] ?? Number.NaN) - divergence;
      expect(Math.abs(error), `${estimator}, seed ${seed}`).toBeLessThan(4 * standardError);
    }
    expect(deviation(found.k3)).toBeLessThan(deviation(found.k1) / 2);
  });
});

function softmax(logits: readonly number[]): readonly number[] {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
