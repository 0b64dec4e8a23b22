/**
 * Did the model get better? The first and the last evaluation of a run, drawing by drawing: both drew the same prompts with the same
 * randomness, so that the difference of each prompt counts, and chance in the choice of prompts falls out. Drawings that a judge could
 * not judge, before or after, are left out of both sides and counted.
 */
import type { EvaluatedDrawing, EvaluationEvent } from '@gvu/rl';
import { type MeanEstimate, type Pair, pairedBootstrap } from './bootstrap.ts';
import { decimalsOf, intervalText, type Scale, scaleOf, signed } from './numbers.ts';

export interface DrawingPair {
  readonly before: EvaluatedDrawing;
  readonly after: EvaluatedDrawing;
}

export interface ScoreRow {
  /** Category. */
  readonly tag: string;
  /** Prompts, and drawings of them. */
  readonly n: number;
  readonly drawings: number;
  /** Mean over prompts. */
  readonly before: number;
  readonly after: number;
  readonly difference: MeanEstimate;
}

export interface Comparison {
  /** Name of the reward that is the score: the judge. */
  readonly score: string;
  readonly scale: Scale;
  readonly steps: readonly [before: number, after: number];
  readonly rows: readonly ScoreRow[];
  /** Its scores are means of the rows. */
  readonly overall: ScoreRow;
  /** Drawings that are in only one of the two evaluations, or could not be judged in both. */
  readonly leftOut: number;
  readonly verdict: Verdict;
}

export interface Verdict {
  readonly direction: 'better' | 'worse' | 'open';
  readonly text: string;
}

export const untagged = 'all prompts';

/** Makes the intervals the same each time: they belong to the numbers, not to the run's seed. */
const bootstrapSeed = 0;

/** The comparison of two evaluations, or null when no drawing has a score in both. */
export function compareEvaluations(first: EvaluationEvent, last: EvaluationEvent): Comparison | null {
  const { score } = first;
  const pairs = pairDrawings(first, last);
  const judged = pairs.flatMap(({ before, after }) => {
    const [b, a] = [before.rewards[score], after.rewards[score]];
    return typeof b === 'number' && typeof a === 'number' ? [{ tag: tagOf(before), prompt: before.prompt, b, a }] : [];
  });
  if (judged.length === 0) return null;

  const prompts = new Map<string, { tag: string; before: number[]; after: number[] }>();
  for (const { tag, prompt, b, a } of judged) {
    const key = JSON.stringify([tag, prompt]);
    const unit = prompts.get(key) ?? { tag, before: [], after: [] };
    prompts.set(key, unit);
    unit.before.push(b);
    unit.after.push(a);
  }
  const units = [...prompts.values()].map(({ tag, before, after }) => ({
    tag,
    drawings: before.length,
    before: mean(before),
    after: mean(after),
  }));
  const differences = units.map((unit): Pair => ({ stratum: unit.tag, difference: unit.after - unit.before }));
  const { overall, strata } = pairedBootstrap(differences, { seed: bootstrapSeed });
  const scale = scaleOf(judged.flatMap(({ b, a }) => [b, a]));

  const rows = [...strata].map(([tag, difference]): ScoreRow => {
    const own = units.filter((unit) => unit.tag === tag);
    return {
      tag,
      n: own.length,
      drawings: own.reduce((sum, unit) => sum + unit.drawings, 0),
      before: mean(own.map((unit) => unit.before)),
      after: mean(own.map((unit) => unit.after)),
      difference: possible(difference, scale),
    };
  });
  const difference = possible(overall, scale);
  return {
    score,
    scale,
    steps: [first.step, last.step],
    rows,
    overall: {
      tag: 'overall',
      n: units.length,
      drawings: judged.length,
      before: mean(rows.map((row) => row.before)),
      after: mean(rows.map((row) => row.after)),
      difference,
    },
    leftOut: Math.max(first.drawings.length, last.drawings.length) - judged.length,
    verdict: verdictOf(difference, scale),
  };
}

/** Means of scores from 0 to 1 differ by 1 at most, which the interval of a few prompts does not know. */
function possible(estimate: MeanEstimate, scale: Scale): MeanEstimate {
  const { interval } = estimate;
  if (interval === null || scale.factor !== 100) return estimate;
  return { ...estimate, interval: [Math.max(-1, interval[0]), Math.min(1, interval[1])] };
}

/** What an interval allows to say. */
export function verdictOf({ n, mean: difference, standardError, interval }: MeanEstimate, scale: Scale): Verdict {
  const decimals = decimalsOf(standardError, { scale, n });
  const amount = `${signed(difference * scale.factor, decimals)}${scale.unit}`;
  if (interval === null) {
    return {
      direction: 'open',
      text: `no difference can be told: ${amount}, without an interval (fewer than three prompts in a category, or no spread)`,
    };
  }
  const claim = `${amount} ${intervalText(interval, { scale, decimals })}`;
  if (interval[0] > 0) return { direction: 'better', text: `better: ${claim}` };
  if (interval[1] < 0) return { direction: 'worse', text: `worse: ${claim}` };
  return { direction: 'open', text: `no difference can be told: ${claim}` };
}

/** The drawings that both evaluations made of the same prompt with the same randomness, in the order of the first. */
export function pairDrawings(first: EvaluationEvent, last: EvaluationEvent): DrawingPair[] {
  const waiting = new Map<string, EvaluatedDrawing[]>();
  for (const drawing of last.drawings) {
    const key = drawingKey(drawing);
    const same = waiting.get(key);
    if (same) same.push(drawing);
    else waiting.set(key, [drawing]);
  }
  return first.drawings.flatMap((before) => {
    const after = waiting.get(drawingKey(before))?.shift();
    return after ? [{ before, after }] : [];
  });
}

/** Which drawing of an evaluation it is, at every step the same. */
export function drawingKey({ tag, prompt, sample }: EvaluatedDrawing): string {
  return JSON.stringify([tag, prompt, sample]);
}

export function tagOf({ tag }: { readonly tag: string | null }): string {
  return tag === null || tag === '' ? untagged : tag;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
