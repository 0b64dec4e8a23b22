import { expect, it } from 'vitest';
import { createGraph, input } from '../graph/graph.ts';
import { loop } from '../ops/control.ts';
import { slice } from '../ops/movement.ts';
import { drawToken, exactSampler } from '../sampling/sampler.ts';
import { adamw, adamwDefaults, clipByGlobalNorm } from './adamw.ts';

it('refuses options that would turn an update around or make it NaN, all at once', () => {
  const graph = createGraph();
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: [2] });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const state = {
    parameters: vector('p'),
    gradient: vector('g'),
    firstMoment: vector('m'),
    secondMoment: vector('v'),
    learningRate: scalar('rate'),
    correction1: scalar('c1'),
    correction2: scalar('c2'),
  };
  const bad = { ...adamwDefaults, beta1: 1, beta2: Number.NaN, epsilon: -1, weightDecay: Number.POSITIVE_INFINITY };
  expect(() => adamw(state, bad)).toThrow(/beta1 is 1.*beta2 is NaN.*epsilon is -1.*weightDecay is Infinity/);
  for (const maxNorm of [-1, 0, Number.NaN]) expect(() => clipByGlobalNorm(state.gradient, maxNorm)).toThrow(/maxNorm/);
});

it('refuses a loop body that forgets or adds a carried value', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2] });
  for (const count of [1, 3])
    expect(() =>
      loop(graph, { trips: 2, carried: [{ initial: x }, { initial: x }] }, () => ({
        carried: Array.from({ length: count }, () => x),
        kept: [],
      })),
    ).toThrow(new RegExp(`gives ${count} carried values for 2`));
});

it('refuses to slice an axis that is not there', () => {
  const x = input(createGraph(), 'x', { dtype: 'float32', shape: [3] });
  for (const axis of [1, -2, 0.5]) expect(() => slice(x, axis, { start: 1 })).toThrow(/has no axis/);
});

it('refuses temperatures and shares too small for single precision', () => {
  const graph = createGraph();
  const logits = input(graph, 'logits', { dtype: 'float32', shape: [1, 4] });
  const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [1, 1] });
  const tiny = { ...exactSampler, temperature: 1e-31, topP: 1e-46 };
  expect(() => drawToken(logits, uniform, tiny)).toThrow(/temperature 1e-31.*topP 1e-46/);
});
