/** Events of a made-up run, and the statistics of what became of them. `at` in their data is when they were written, in milliseconds since 1970 with fractions. */
import type { JsonValue } from '@gvu/core';

/** Now, finer than `Date.now()`, and comparable between processes of one machine. */
export const clock = (): number => performance.timeOrigin + performance.now();

/** The smallest value that a share `q` of all does not exceed. */
export const quantile = (values: readonly number[], q: number): number =>
  Float64Array.from(values).sort()[Math.ceil(q * values.length) - 1] ?? Number.NaN;

const words = 'a photo of two red circles left of a small blue square'.split(' ');

/** Of twenty events sixteen are rollouts, each with its picture; the others are of all the other kinds. */
export function syntheticEvent(n: number): { readonly type: string; readonly data: JsonValue } {
  const at = clock();
  const step = Math.floor(n / 20) + 1;
  switch (n % 20) {
    case 0:
      return { type: 'step', data: { at, step, steps: 1000, seconds: 1, elapsedSeconds: step, metrics: metrics(n) } };
    case 1:
      return { type: 'checkpoint', data: { at, step, path: `checkpoints/step-${step}` } };
    case 2:
      return { type: 'exam', data: { at, step, name: 'shapes', scores: { count: { correct: 60 + (n % 7), n: 100 } } } };
    case 3:
      return { type: 'guard', data: { at, step, guard: 'idle', level: 'warn', message: 'No gradient in this step.' } };
    default:
      return { type: 'rollout', data: rollout(n, step, at) };
  }
}

function metrics(n: number): JsonValue {
  const names = ['reward/mean', 'reward/std', 'kl', 'entropy', 'gradient/norm', 'learning_rate', 'ratio/max', 'ties'];
  return Object.fromEntries(names.map((name, i) => [name, Math.sin(n + i)]));
}

function rollout(n: number, step: number, at: number): JsonValue {
  return {
    ...{ at, step, group: n % 4, sample: n % 8, seed: 1, prompt: words.join(' '), tag: 'position', reward: 0.5 },
    rewards: { gvu: Math.sin(n), detector: 0 },
    advantage: Math.cos(n),
    traces: { gvu: { tokens: words, logProbs: words.map((_, i) => Math.log(0.1 + 0.08 * ((n + i) % 11))) } },
    teacher: { kind: 'live', version: String(step), representation: 'emitted-tokens' },
    sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
    logProb: -2.5,
    image: `${n.toString(16).padStart(64, '0')}.png`,
  };
}
