import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { promptLikelihood } from './prompt-likelihood.ts';

const property = { seed: 20_260_306, numRuns: 200 };
const logProbs = fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { minLength: 1, maxLength: 40 });

describe('the likelihood of a prompt', () => {
  it('is the root of the product of its probabilities (Eq. 5)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
        (probabilities) => {
          const product = probabilities.reduce((total, p) => total * p, 1);
          const expected = product ** (1 / probabilities.length);
          expect(promptLikelihood(probabilities.map(Math.log), { form: 'geometric-mean' })).toBeCloseTo(expected, 12);
        },
      ),
      property,
    );
  });

  it('does not underflow where the product does', () => {
    const long = Array(5000).fill(Math.log(0.045));
    expect(long.reduce((product, logProb) => product * Math.exp(logProb), 1)).toBe(0);
    expect(promptLikelihood(long, { form: 'geometric-mean' })).toBeCloseTo(0.045, 12);
    expect(promptLikelihood(long, { form: 'mean-log' })).toBeCloseTo(Math.log(0.045), 10);
  });

  it('orders images alike in both forms', () => {
    fc.assert(
      fc.property(logProbs, logProbs, (one, other) => {
        const mean = promptLikelihood(one, { form: 'mean-log' }) - promptLikelihood(other, { form: 'mean-log' });
        const root =
          promptLikelihood(one, { form: 'geometric-mean' }) - promptLikelihood(other, { form: 'geometric-mean' });
        if (Math.abs(mean) > 1e-9) expect(Math.sign(root)).toBe(Math.sign(mean));
      }),
      property,
    );
  });

  it('moves all images of a prompt by one constant when the prior is taken off', () => {
    const prior = [-3, -1];
    const [good, bad] = [
      [-0.5, -0.2],
      [-2, -1],
    ];
    const pmi = (image: number[], alpha: number) => promptLikelihood(image, { form: 'pmi', prior, alpha });
    expect(pmi(good, 1)).toBeCloseTo(-0.35 + 2, 12);
    expect(pmi(good, 1) - pmi(bad, 1)).toBeCloseTo(pmi(good, 0) - pmi(bad, 0), 12);
    expect(pmi(good, 0)).toBe(promptLikelihood(good, { form: 'mean-log' }));
  });

  it('is unscorable for an empty prompt and for a token that cannot be said', () => {
    for (const form of ['geometric-mean', 'mean-log'] as const) {
      expect(promptLikelihood([], { form })).toBeNaN();
      expect(promptLikelihood([-1, Number.NEGATIVE_INFINITY], { form })).toBeNaN();
    }
    expect(promptLikelihood([], { form: 'pmi', prior: [] })).toBeNaN();
  });

  it('allows for rounding above probability 1, and refuses what is no log-probability', () => {
    expect(promptLikelihood([1e-7], { form: 'mean-log' })).toBe(1e-7);
    for (const wrong of [0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => promptLikelihood([-1, wrong], { form: 'mean-log' })).toThrow(
        `The log-probability of token 1 of the prompt is ${wrong}`,
      );
    expect(() => promptLikelihood([-1, -1], { form: 'pmi', prior: [-1] })).toThrow('2 tokens have 1 log-probabilities');
    expect(() => promptLikelihood([-1], { form: 'pmi' })).toThrow('1 tokens have 0 log-probabilities');
  });
});
