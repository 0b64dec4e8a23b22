import { fillUniform, randomStream } from '@gvu/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadGraph, runGraph } from '../../test/run-graph.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { drawToken, exactSampler, type SamplerOptions } from './sampler.ts';

const SEED = 20261123;

/** The distribution that the options leave, restated on the host after Hugging Face's warpers. */
function truncated(logits: readonly number[], { temperature, topK, topP, minP }: SamplerOptions): number[] {
  const softmax = (values: readonly number[]) => {
    const top = Math.max(...values);
    const weights = values.map((value) => Math.exp(value - top));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  };
  let kept = logits.map((value) => value / temperature);
  const order = () => [...kept.keys()].sort((a, b) => (kept[b] ?? 0) - (kept[a] ?? 0));
  const keep = (allowed: ReadonlySet<number>) => {
    kept = kept.map((value, i) => (allowed.has(i) ? value : Number.NEGATIVE_INFINITY));
  };
  if (topK > 0) keep(new Set(order().slice(0, topK)));
  if (topP < 1) {
    const p = softmax(kept);
    let before = 0;
    keep(
      new Set(
        order().filter((i) => {
          const keepIt = before < topP;
          before += p[i] ?? 0;
          return keepIt;
        }),
      ),
    );
  }
  if (minP > 0) {
    const p = softmax(kept);
    keep(new Set(p.flatMap((value, i) => (value >= minP * Math.max(...p) ? [i] : []))));
  }
  return softmax(kept);
}

async function sampler(vocabulary: number, rows: number, options: SamplerOptions) {
  const graph = createGraph();
  const logits = input(graph, 'logits', { dtype: 'float32', shape: [rows, vocabulary] });
  const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [rows, 1] });
  const draw = drawToken(logits, uniform, options);
  output('token', draw.token);
  output('policy', draw.policyLogProb);
  output('sampler', draw.samplerLogProb);
  return await loadGraph(graph);
}

const logits = [1.2, -0.4, 0.9, 2.1, -1.5, 0.3, 1.9, -0.2, 0.0, -3];

describe('drawToken', () => {
  const cases: Record<string, SamplerOptions> = {
    exact: exactSampler,
    temperature: { ...exactSampler, temperature: 0.7 },
    'top-k': { ...exactSampler, topK: 4 },
    'top-p': { ...exactSampler, topP: 0.8 },
    'min-p': { ...exactSampler, minP: 0.15 },
    'all of them': { temperature: 1.3, topK: 7, topP: 0.9, minP: 0.1 },
  };

  it.each(Object.entries(cases))('draws from the distribution that remains: %s', async (_, options) => {
    // A stratified grid of uniforms makes the counts almost exact: chi-square then tests the map, not luck.
    const rows = 20_000;
    await using program = await sampler(logits.length, rows, options);
    const feeds = {
      logits: tensorData('float32', [rows, logits.length], Array.from({ length: rows }, () => logits).flat()),
      uniform: tensorData(
        'float32',
        [rows, 1],
        Array.from({ length: rows }, (_, i) => (i + 0.5) / rows),
      ),
    };
    const { token, policy, sampler: sampled } = await program.run(feeds);
    if (!token || !policy || !sampled) throw new Error('an output is missing');
    const expected = truncated(logits, options);
    const counts = logits.map(() => 0);
    for (const id of toNumbers(token)) counts[id] = (counts[id] ?? 0) + 1;
    for (const [id, p] of expected.entries())
      expect(Math.abs((counts[id] ?? 0) / rows - p), `token ${id}`).toBeLessThan(2e-4);

    const full = truncated(logits, exactSampler);
    const ids = toNumbers(token);
    const worst = (found: TensorData, probabilities: readonly number[]) =>
      toNumbers(found).reduce(
        (most, value, row) => Math.max(most, Math.abs(value - Math.log(probabilities[ids[row] ?? 0] ?? 0))),
        0,
      );
    expect(worst(policy, full)).toBeLessThan(5e-6);
    expect(worst(sampled, expected)).toBeLessThan(5e-6);
  });

  it.each(Object.entries(cases))('passes a chi-square test on pseudo-random numbers: %s', async (_, options) => {
    const rows = 8_000;
    await using program = await sampler(logits.length, rows, options);
    const noise = new Float32Array(rows);
    fillUniform(noise, randomStream(SEED, 'chi-square').at());
    const { token } = await program.run({
      logits: tensorData('float32', [rows, logits.length], Array.from({ length: rows }, () => logits).flat()),
      uniform: { dtype: 'float32', shape: [rows, 1], data: noise },
    });
    if (!token) throw new Error('no token');
    const expected = truncated(logits, options);
    let statistic = 0;
    const counts = logits.map(() => 0);
    for (const id of toNumbers(token)) counts[id] = (counts[id] ?? 0) + 1;
    for (const [id, p] of expected.entries()) {
      if (p === 0) expect(counts[id]).toBe(0);
      else statistic += ((counts[id] ?? 0) - p * rows) ** 2 / (p * rows);
    }
    // 99.9 % quantile of chi-square with 9 degrees of freedom (fewer tokens have a smaller one).
    expect(statistic).toBeLessThan(27.9);
  });

  it.each([
    { ...exactSampler, topK: 1 },
    { ...exactSampler, topK: 99 },
    { ...exactSampler, topP: 1e-6 },
    { ...exactSampler, topP: 0.613 },
    { ...exactSampler, minP: 1 },
    { temperature: 0.05, topK: 5, topP: 0.97, minP: 0 },
    { temperature: 50, topK: 0, topP: 0.37, minP: 0.9 },
    { temperature: 1.7, topK: 6, topP: 0.88, minP: 0.033 },
  ])('draws only what %o keeps, also among ties, with the right log-probability', async (options) => {
    const [rows, vocabulary] = [32, 12];
    await using program = await sampler(vocabulary, rows, options);
    const row = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: vocabulary, maxLength: vocabulary });
    const noise = fc.array(fc.integer({ min: 0, max: 2 ** 24 - 1 }), { minLength: rows, maxLength: rows });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: rows, maxLength: rows }), noise, async (batch, steps) => {
        const { token, sampler: sampled } = await program.run({
          logits: tensorData('float32', [rows, vocabulary], batch.flat()),
          uniform: tensorData(
            'float32',
            [rows, 1],
            steps.map((step) => step / 2 ** 24),
          ),
        });
        const [ids, logProbs] = [token, sampled].map((tensor) => (tensor ? toNumbers(tensor) : []));
        for (const [i, values] of batch.entries()) {
          const p = truncated(values, options)[ids?.[i] ?? -1] ?? 0;
          expect(p).toBeGreaterThan(0);
          expect(Math.abs((logProbs?.[i] ?? Number.NaN) - Math.log(p))).toBeLessThan(1e-4);
        }
      }),
      { seed: SEED, numRuns: 20 },
    );
  });

  it('never leaves the support at the ends of the unit interval', async () => {
    await using program = await sampler(logits.length, 1, { ...exactSampler, topK: 3, minP: 0.2 });
    const row = tensorData('float32', [1, logits.length], logits);
    const [first, last] = await Promise.all(
      [0, 1 - 2 ** -24].map(
        async (u) => (await program.run({ logits: row, uniform: tensorData('float32', [1, 1], [u]) })).token,
      ),
    );
    if (!first || !last) throw new Error('no token');
    expect(toNumbers(first)).toEqual([3]);
    expect(toNumbers(last)).toEqual([0]);
  });

  it('draws the same token alone as in a batch, whatever the logits', async () => {
    const rows = 8;
    const options = { temperature: 0.9, topK: 5, topP: 0.95, minP: 0.02 };
    await using batch = await sampler(16, rows, options);
    await using single = await sampler(16, 1, options);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 16 * rows, maxLength: 16 * rows }),
        fc.array(fc.float({ min: 0, max: Math.fround(1 - 2 ** -24), noNaN: true }), {
          minLength: rows,
          maxLength: rows,
        }),
        async (values, noise) => {
          const together = await batch.run({
            logits: tensorData('float32', [rows, 16], values),
            uniform: tensorData('float32', [rows, 1], noise),
          });
          const ids = together.token ? toNumbers(together.token) : [];
          for (const [i, u] of noise.entries()) {
            const alone = await single.run({
              logits: tensorData('float32', [1, 16], values.slice(16 * i, 16 * (i + 1))),
              uniform: tensorData('float32', [1, 1], [u]),
            });
            expect(alone.token && toNumbers(alone.token)).toEqual([ids[i]]);
          }
        },
      ),
      { seed: SEED, numRuns: 50 },
    );
  });

  it.each(Object.entries({ ...cases, greedy: { ...exactSampler, temperature: 0 } }))(
    'answers logits that are not finite with a token of the vocabulary and NaN: %s',
    async (_, options) => {
      const rows = 4;
      const all = Array.from({ length: rows }, () => logits).flat();
      await using program = await sampler(logits.length, rows, options);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
          fc.uniqueArray(fc.nat(logits.length - 1), { minLength: 1 }),
          fc.nat(rows - 1),
          fc.float({ min: 0, max: Math.fround(1 - 2 ** -24), noNaN: true }),
          async (bad, places, row, u) => {
            const spoilt = all.map((value, i) =>
              places.some((place) => i === row * logits.length + place) ? bad : value,
            );
            const uniform = tensorData('float32', [rows, 1], Array(rows).fill(u));
            const run = async (values: readonly number[]) => {
              const shape = [rows, logits.length];
              const found = await program.run({ logits: tensorData('float32', shape, values), uniform });
              const [tokens, policy, sampled] = [found.token, found.policy, found.sampler].map((tensor) =>
                tensor ? toNumbers(tensor) : [],
              );
              return tokens?.map((token, i) => ({ token, policy: policy?.[i], sampled: sampled?.[i] })) ?? [];
            };
            const [good, found] = [await run(all), await run(spoilt)];
            expect(found).toHaveLength(rows);
            for (const [i, drawn] of found.entries()) {
              if (i !== row) expect(drawn).toEqual(good[i]);
              else {
                expect(drawn.token).toBeGreaterThanOrEqual(0);
                expect(drawn.token).toBeLessThan(logits.length);
                expect(drawn.policy).toBeNaN();
              }
            }
          },
        ),
        { seed: SEED, numRuns: 50 },
      );
    },
  );

  it.each(Object.entries({ ...cases, greedy: { ...exactSampler, temperature: 0 } }))(
    'shows NaN in what is sampled also where the policy is another: %s',
    async (_, options) => {
      const graph = createGraph();
      const type = { dtype: 'float32', shape: [2, logits.length] } as const;
      const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [2, 1] });
      const draw = drawToken(input(graph, 'logits', type), uniform, options, input(graph, 'policy logits', type));
      output('policy', draw.policyLogProb);
      output('sampler', draw.samplerLogProb);
      const { policy, sampler: sampled } = await runGraph(graph, {
        logits: tensorData('float32', type.shape, [...logits, ...logits.with(5, Number.NaN)]),
        'policy logits': tensorData('float32', type.shape, [...logits, ...logits]),
        uniform: tensorData('float32', [2, 1], [0.5, 0.5]),
      });
      expect(policy && toNumbers(policy).every(Number.isFinite)).toBe(true);
      expect(sampled && toNumbers(sampled)).toEqual([expect.toSatisfy(Number.isFinite), Number.NaN]);
    },
  );

  it('knows the log-probability of what guidance makes of tokens that must not be drawn', async () => {
    const graph = createGraph();
    const type = { dtype: 'float32', shape: [1, 4] } as const;
    const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [1, 1] });
    const draw = drawToken(input(graph, 'logits', type), uniform, exactSampler, input(graph, 'policy logits', type));
    output('sampler', draw.samplerLogProb);
    const { sampler: sampled } = await runGraph(graph, {
      // Each is finite, their sum is not.
      logits: tensorData('float32', type.shape, [0, -3.4e38, -3.4e38, 0]),
      'policy logits': tensorData('float32', type.shape, [0, -3.4e38, -3.4e38, 0]),
      uniform: tensorData('float32', [1, 1], [0.5]),
    });
    expect(sampled && toNumbers(sampled)).toEqual([expect.closeTo(-Math.LN2, 6)]);
  });

  it('takes the likeliest token at temperature 0', async () => {
    const graph = createGraph();
    const draw = drawToken(
      input(graph, 'logits', { dtype: 'float32', shape: [1, 10] }),
      input(graph, 'uniform', { dtype: 'float32', shape: [1, 1] }),
      { ...exactSampler, temperature: 0 },
    );
    output('token', draw.token);
    const { token } = await runGraph(graph, {
      logits: tensorData('float32', [1, 10], logits),
      uniform: tensorData('float32', [1, 1], [0.99]),
    });
    expect(token && toNumbers(token)).toEqual([3]);
  });

  it('refuses options out of range, all at once', () => {
    const graph = createGraph();
    const one = input(graph, 'logits', { dtype: 'float32', shape: [1, 10] });
    const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [1, 1] });
    expect(() =>
      drawToken(one, uniform, { temperature: -1, topK: 1.5, topP: 0, minP: 2 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_SAMPLER_OPTIONS: temperature -1 is neither 0 nor in [1e-6, 100]; topK 1.5 is not a whole number from 0; topP 0 is not in [1e-6, 1]; minP 2 is not in [0, 1]. Use temperature 1, topK 0, topP 1, minP 0 to draw from the policy itself.]`,
    );
  });
});
