import { expect, test } from 'vitest';
import { evaluationEvent, stepEvent } from '../test/run-folder.ts';
import { metricCurve, rewardNames, scoreCurves, smoothed } from './curves.ts';

test('curves keep gaps, and smoothing does not fill or spread them', () => {
  const steps = [1, null, 3, 5, 9].map((value, i) => stepEvent(i + 1, { 'reward/mean': value, other: null }));
  const curve = metricCurve(steps, 'reward/mean');
  expect(curve.map((point) => point.value)).toEqual([1, null, 3, 5, 9]);
  expect(smoothed(curve, 3).map((point) => point.value)).toEqual([1, null, 4, 17 / 3, 7]);
  expect(smoothed(curve, 1)).toEqual(curve);
  expect(metricCurve(steps, 'other')).toEqual([]);
  expect(metricCurve(steps, 'missing')).toEqual([]);
});

test('single rewards are told from the statistics', () => {
  const steps = [
    stepEvent(1, { 'reward/mean': 1, 'reward/std': 1, 'reward/gvu': 1, kl: 0 }),
    stepEvent(2, { 'reward/jpeg-size': 2 }),
  ];
  expect(rewardNames(steps)).toEqual(['gvu', 'jpeg-size']);
});

test('scores by category, the overall one first', () => {
  const curves = scoreCurves([evaluationEvent(0, { a: [0, 1], b: [0] }), evaluationEvent(5, { a: [1, 1], b: [null] })]);
  expect(curves.map(({ name }) => name)).toEqual(['overall', 'a', 'b']);
  expect(curves[0]?.curve.map(({ value }) => value)).toEqual([0.25, 0.5]);
  expect(scoreCurves([])).toEqual([]);
});
