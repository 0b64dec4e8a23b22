/** Curves of a run over its steps, from the numbers that each step logged; what was no number is null and stays a gap. */
import type { EvaluationEvent, StepEvent } from '@gvu/rl';
import { tagOf } from './evaluations.ts';

export interface CurvePoint {
  readonly step: number;
  readonly value: number | null;
}

/** One metric by step; empty if no step has a number for it. */
export function metricCurve(steps: readonly StepEvent[], metric: string): CurvePoint[] {
  const curve = steps.map(({ step, metrics }) => ({ step, value: finite(metrics[metric]) }));
  return curve.some((point) => point.value !== null) ? curve : [];
}

/**
 * Running mean over `window` steps, centred, of the numbers there are; at the ends it is over fewer. Default: a twentieth of the curve, at
 * least 3.
 */
export function smoothed(
  curve: readonly CurvePoint[],
  window: number = Math.max(3, Math.round(curve.length / 20)),
): CurvePoint[] {
  const reach = Math.floor(window / 2);
  return curve.map(({ step, value }, i) => {
    const near = curve.slice(Math.max(0, i - reach), i + reach + 1).flatMap((point) => point.value ?? []);
    return { step, value: value === null ? null : near.reduce((sum, x) => sum + x, 0) / near.length };
  });
}

/** Names of the metrics `reward/<name>` of single rewards. */
export function rewardNames(steps: readonly StepEvent[]): string[] {
  const names = new Set<string>();
  for (const { metrics } of steps) {
    for (const key of Object.keys(metrics)) {
      if (key.startsWith('reward/') && key !== 'reward/mean' && key !== 'reward/std')
        names.add(key.slice('reward/'.length));
    }
  }
  return [...names];
}

/** The score at each evaluation: overall first, then by tag. */
export function scoreCurves(evaluations: readonly EvaluationEvent[]): { name: string; curve: CurvePoint[] }[] {
  const tags = [...new Set(evaluations.flatMap((evaluation) => Object.keys(evaluation.byTag)))];
  const overall = evaluations.map(({ step, overall, score }) => ({ step, value: finite(overall[score]) }));
  const byTag = tags.map((tag) => ({
    name: tagOf({ tag }),
    curve: evaluations.map(({ step, byTag, score }) => ({ step, value: finite(byTag[tag]?.mean[score]) })),
  }));
  return [{ name: 'overall', curve: overall }, ...byTag].filter(({ curve }) =>
    curve.some((point) => point.value !== null),
  );
}

function finite(value: number | null | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
