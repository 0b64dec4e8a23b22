/** What the parity test with PyTorch does not show: masks, bounds and edges, against the update restated in float64. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadGraph } from '../../test/run-graph.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { type AdamWOptions, adamw, adamwDefaults, biasCorrections, clipByGlobalNorm } from './adamw.ts';

const SEED = 20261123;
const SIZE = 4;
const parts = ['parameters', 'gradient', 'firstMoment', 'secondMoment'] as const;
type State = Record<(typeof parts)[number], readonly number[]>;

async function update(options: AdamWOptions, withMask = false) {
  const graph = createGraph();
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: [SIZE] });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const [parameters, gradient, firstMoment, secondMoment] = [...parts.map(vector)];
  if (!parameters || !gradient || !firstMoment || !secondMoment) throw new Error('four vectors were declared');
  const scalars = {
    learningRate: scalar('learningRate'),
    correction1: scalar('correction1'),
    correction2: scalar('correction2'),
  };
  const updated = adamw(
    { parameters, gradient, firstMoment, secondMoment, ...scalars },
    options,
    withMask ? vector('mask') : undefined,
  );
  for (const [name, tensor] of Object.entries(updated)) output(`new ${name}`, tensor);
  const program = await loadGraph(graph);
  return {
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    async step(state: State, { learningRate, step, mask }: { learningRate: number; step: number; mask?: number[] }) {
      const vectors = Object.entries({ ...state, ...(mask && { mask }) });
      const numbers = Object.entries({ learningRate, ...biasCorrections(step, options) });
      const results = await program.run(
        Object.fromEntries([
          ...vectors.map(([name, values]) => [name, tensorData('float32', [SIZE], values)]),
          ...numbers.map(([name, value]) => [name, tensorData('float32', [], [value])]),
        ]),
      );
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, toNumbers(tensor)]));
    },
  };
}

/** torch.optim.AdamW's single-tensor update, element by element. */
function expected(
  { parameters, gradient, firstMoment, secondMoment }: State,
  options: AdamWOptions & { learningRate: number; step: number },
  mask: readonly number[] = [1, 1, 1, 1],
) {
  const { beta1, beta2, epsilon, weightDecay, learningRate, step } = options;
  return parameters.map((value, i) => {
    const g = gradient[i] ?? 0;
    const m = beta1 * (firstMoment[i] ?? 0) + (1 - beta1) * g;
    const v = beta2 * (secondMoment[i] ?? 0) + (1 - beta2) * g * g;
    const decayed = value * (1 - learningRate * weightDecay * (mask[i] ?? 0));
    return decayed - (learningRate * (m / (1 - beta1 ** step))) / (Math.sqrt(v / (1 - beta2 ** step)) + epsilon);
  });
}

const vector = (least: number) =>
  fc.array(fc.float({ min: least, max: 1, noNaN: true }), { minLength: SIZE, maxLength: SIZE });

describe('adamw', () => {
  it('is the update of the papers, for any state and step', async () => {
    const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.1 };
    await using program = await update(options, true);
    await fc.assert(
      fc.asyncProperty(
        fc.record({ parameters: vector(-1), gradient: vector(-1), firstMoment: vector(-1), secondMoment: vector(0) }),
        fc.integer({ min: 1, max: 10_000 }),
        async (state, step) => {
          const settings = { learningRate: 0.01, step, mask: [1, 0, 0, 1] };
          const { 'new parameters': found = [] } = await program.step(state, settings);
          for (const [i, value] of expected(state, { ...options, ...settings }, settings.mask).entries()) {
            const size = Math.max(1, Math.abs(value - (state.parameters[i] ?? 0)));
            expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(1e-6 * size);
          }
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('moves nothing without gradient and decay, and shrinks by the rate times the decay alone', async () => {
    const still = {
      parameters: [1, -2, 0, 4],
      gradient: [0, 0, 0, 0],
      firstMoment: [0, 0, 0, 0],
      secondMoment: [0, 0, 0, 0],
    };
    await using plain = await update({ ...adamwDefaults, weightDecay: 0 });
    expect((await plain.step(still, { learningRate: 1, step: 1 }))['new parameters']).toEqual([1, -2, 0, 4]);
    await using decaying = await update({ ...adamwDefaults, weightDecay: 0.5 });
    expect((await decaying.step(still, { learningRate: 0.5, step: 1 }))['new parameters']).toEqual([0.75, -1.5, 0, 3]);
  });

  it('takes a first step of the learning rate, however large or small the gradient', async () => {
    await using program = await update({ ...adamwDefaults, weightDecay: 0 });
    const zero = [0, 0, 0, 0];
    const state = { parameters: zero, gradient: [1e-3, -1e3, 5, -1], firstMoment: zero, secondMoment: zero };
    const { 'new parameters': moved = [] } = await program.step(state, { learningRate: 0.125, step: 1 });
    for (const [i, sign] of [-1, 1, -1, 1].entries()) expect(moved[i]).toBeCloseTo(0.125 * sign, 5);
  });

  it('has bias corrections with all digits, also late', () => {
    expect(biasCorrections(1, adamwDefaults)).toEqual({ correction1: 1 - 0.9, correction2: 1 - 0.999 });
    expect(biasCorrections(1_000_000, adamwDefaults)).toEqual({ correction1: 1, correction2: 1 });
  });
});

describe('clipByGlobalNorm', () => {
  it('scales down to the norm and never up, and gives the norm from before', async () => {
    const graph = createGraph();
    const clipped = clipByGlobalNorm(input(graph, 'gradient', { dtype: 'float32', shape: [SIZE] }), 2);
    output('clipped', clipped.gradient);
    output('norm', clipped.norm);
    await using program = await loadGraph(graph);
    const clip = async (gradient: readonly number[]) => {
      const { clipped: values, norm } = await program.run({ gradient: tensorData('float32', [SIZE], gradient) });
      return { values: values ? toNumbers(values) : [], norm: norm ? toNumbers(norm) : [] };
    };
    expect(await clip([3, 0, -4, 0])).toEqual({
      values: [1.2, 0, -1.6, 0].map((v) => expect.closeTo(v, 5)),
      norm: [5],
    });
    // Below the limit nothing is touched, not even by rounding.
    expect((await clip([0.1, -0.2, 0.3, 1])).values).toEqual([0.1, -0.2, 0.3, 1].map(Math.fround));
    expect(await clip([0, 0, 0, 0])).toEqual({ values: [0, 0, 0, 0], norm: [0] });
    // A gradient that is not finite must stay visible.
    expect((await clip([Number.NaN, 1, 1, 1])).norm).toEqual([Number.NaN]);
    expect((await clip([Number.NaN, 1, 1, 1])).values).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });
});
