/** Guards on made-up numbers and drawings. What else stops a run in training is in `../../test/train.test.ts`. */
import { describe, expect, it } from 'vitest';
import { runConfig } from '../run/config.ts';
import type { EvaluationEvent } from '../run/events.ts';
import { freshMemory, type GuardMemory, guardEvaluation, guardPictures, guardProxy, guardStep } from './guards.ts';

interface Changes {
  readonly score: number;
  readonly proxy: number;
}

/** Sixty drawings; values vary by drawing, and by what is added from the start to now. */
function evaluation({ score, proxy }: Changes, signs: EvaluationEvent['signs'] = {}): EvaluationEvent {
  const drawings = Array.from({ length: 60 }, (_, i) => ({
    prompt: String(i),
    tag: null,
    sample: 0,
    rewards: { detector: 0.5 + score * (1 + Math.sin(i)), gvu: 0.1 + proxy * (1 + Math.cos(i)) },
    image: null,
  }));
  return { step: 0, seconds: 0, score: 'detector', overall: {}, byTag: {}, drawings, signs };
}
const start = evaluation({ score: 0, proxy: 0 }, { 'correlation/gvu': 0.4 });

describe('a reward against the score', () => {
  it('is reported when it rises and the score does not, with both changes', () => {
    const [found, ...others] = guardProxy(start, evaluation({ score: 0, proxy: 0.02 }, { 'correlation/gvu': 0.1 }), [
      'gvu',
    ]);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ guard: 'proxy', level: 'warn' });
    expect(found?.message).toMatch(/'gvu' rose by 0\.02\d*.*'detector' changed by 0.*was 0\.40 and is 0\.10/);
  });

  it.each<[string, Changes, readonly string[]]>([
    ['both rise', { score: 0.1, proxy: 0.02 }, ['gvu']],
    ['neither rises', { score: 0, proxy: 0 }, ['gvu']],
    ['it fell', { score: 0, proxy: -0.02 }, ['gvu']],
    ['nobody trains on it', { score: 0, proxy: 0.02 }, ['random']],
    ['the score itself is trained on', { score: 0, proxy: 0.02 }, ['gvu', 'detector']],
  ])('is not when %s', (_, changes, trainedOn) => {
    expect(guardProxy(start, evaluation(changes), trainedOn)).toEqual([]);
  });

  it('and the score alone when it falls', () => {
    expect(guardEvaluation(start, evaluation({ score: -0.1, proxy: 0 }))).toMatchObject([{ guard: 'score' }]);
    expect(guardEvaluation(start, evaluation({ score: 0.1, proxy: 0 }))).toEqual([]);
    expect(guardEvaluation(start, start)).toEqual([]);
  });
});

it('pictures that look otherwise than at the start are reported, each way by its name', () => {
  const same = { score: 0, proxy: 0 };
  const [before, after] = [
    evaluation(same, { saturation: 0.3, brightness: 0.5, sharpness: 0.02, diversity: null }),
    evaluation(same, { saturation: 0.5, brightness: 0.6, sharpness: 0.009, diversity: 0.1 }),
  ];
  const found = guardPictures(before, after);
  expect(found.map(({ guard }) => guard)).toEqual(['saturation', 'sharpness']);
  expect(found[0]?.message).toContain('from 0.30 to 0.50');
  expect(guardPictures(before, before)).toEqual([]);
  // Runs of before these numbers were kept.
  expect(guardPictures(evaluation(same), after)).toEqual([]);
});

const config = runConfig.parse({ guards: { maxKl: 1 } }, { source: 'test' });

/** The step, from 1, at which the guard on KL stops a run whose steps report these values; 0 = it does not. */
function stopsAt(values: readonly number[]): number {
  let memory: GuardMemory = freshMemory;
  for (const [i, kl] of values.entries()) {
    const result = guardStep({ 'gradient/norm': 1, ties: 0, kl }, memory, config);
    memory = result.memory;
    if (result.findings.some(({ guard, level }) => guard === 'kl' && level === 'stop')) return i + 1;
  }
  return 0;
}

describe('the guard on the KL divergence', () => {
  it('stops a run that stays above the limit, and not for one step with a heavy tail', () => {
    expect(stopsAt([0.16, 0.2, 2.9, 0.16, 0.2])).toBe(0);
    // 1.5 (1 - 0.8^n) exceeds 1 at n = 5.
    expect(stopsAt(Array.from({ length: 10 }, () => 1.5))).toBe(5);
    expect(stopsAt(Array.from({ length: 100 }, () => 0.99))).toBe(0);
  });

  it('is not blinded by a step that reports none', () => {
    expect(stopsAt([1.5, 1.5, Number.NaN, 1.5, 1.5, 1.5])).toBe(6);
  });
});
