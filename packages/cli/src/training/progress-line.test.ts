import { expect, test } from 'vitest';
import { eventLine, progressLine } from './progress-line.ts';

const progress = { phase: 'step', step: 3, steps: 9, metrics: {}, secondsLeft: 75 } as const;

test('a step has its numbers, as far as there are any', () => {
  const metrics = { 'reward/mean': 0.5, kl: 0.00125, entropy: 2, decisions_per_second: 1234.5, 'gradient/norm': 1 };
  expect(progressLine({ ...progress, metrics })).toBe(
    'step 3/9  reward 0.5000  KL 0.0013  entropy 2.000  1235 decisions/s  1 min 15 s left',
  );
  expect(progressLine({ ...progress, metrics: { 'reward/mean': null } })).toBe('step 3/9  1 min 15 s left');
  expect(progressLine({ ...progress, phase: 'evaluation' })).toBe('step 3/9  evaluating');
});

const at = { seq: 1, time: '' };

test('evaluations, exams and guards have a line that stays; steps do not', () => {
  const byTag = { a: { n: 1, mean: { detector: 0.5 } }, b: { n: 1, mean: { detector: null } } };
  const evaluation = { step: 2, seconds: 1, score: 'detector', overall: { detector: 0.25 }, byTag, drawings: [] };
  expect(eventLine({ ...at, type: 'evaluation', data: evaluation })).toBe(
    'Evaluation after step 2: detector 0.250  (a 0.500, b -)',
  );
  const scores = { count: { correct: 3, n: 4 } };
  expect(eventLine({ ...at, type: 'exam', data: { step: 0, name: 'shapes', scores } })).toBe(
    'Exam shapes after step 0: count 3/4',
  );
  const guard = { step: 5, guard: 'idle', level: 'stop', message: 'No gradient.' } as const;
  expect(eventLine({ ...at, type: 'guard', data: guard })).toBe('Stopped by the guard idle at step 5: No gradient.');
  const step = { step: 1, steps: 2, seconds: 1, elapsedSeconds: 1, metrics: {} };
  expect(eventLine({ ...at, type: 'step', data: step })).toBeUndefined();
});
