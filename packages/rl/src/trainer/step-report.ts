/** What a step reports of its drawings and rewards, and how long the rest will take. */
import type { Pixels } from '@gvu/models';
import type { Advantages } from '../advantages.ts';
import type { PhaseTime } from './clocks.ts';
import type { Collected } from './collect.ts';
import { diversity } from './picture-statistics.ts';

/** Metrics of the drawings, by name; see `StepEvent`. Undefined numbers are NaN. */
export function batchMetrics(
  { drawings, pictures, scores }: Collected,
  { statistics }: Advantages,
  groupSize: number,
): Record<string, number> {
  const { rewardMean, rewardStd, zeroStdFraction, unscorable, rewards } = statistics;
  return {
    'reward/mean': rewardMean,
    'reward/std': rewardStd,
    ...Object.fromEntries(Object.entries(rewards).map(([name, { mean }]) => [`reward/${name}`, mean])),
    ties: zeroStdFraction,
    unscorable: unscorable / drawings.length,
    failures: scores.reduce((sum, { failures }) => sum + failures, 0),
    ...Object.fromEntries(
      scores.flatMap(({ name, gated }) => (gated === undefined ? [] : [[`gated/${name}`, gated / drawings.length]])),
    ),
    duplicates:
      duplicates(
        drawings.map(({ tokens }) => tokens.join()),
        groupSize,
      ) / drawings.length,
    diversity: diversity(pictureGroups(pictures, groupSize)),
  };
}

/** `time/<phase>` by the clock, `engine/<phase>` the part of it inside ONNX Runtime, and `time/engine`, the sum of these parts. */
export function timeMetrics(times: Readonly<Record<string, PhaseTime>>): Record<string, number> {
  const entries = Object.entries(times);
  return {
    ...Object.fromEntries(entries.map(([phase, { seconds }]) => [`time/${phase}`, seconds])),
    ...Object.fromEntries(entries.map(([phase, { engine }]) => [`engine/${phase}`, engine])),
    'time/engine': entries.reduce((sum, [, { engine }]) => sum + engine, 0),
  };
}

/** How many drawings equal an earlier one of their group. */
function duplicates(drawings: readonly string[], groupSize: number): number {
  let found = 0;
  for (let from = 0; from < drawings.length; from += groupSize) {
    const group = drawings.slice(from, from + groupSize);
    found += group.length - new Set(group).size;
  }
  return found;
}

/** The groups whose drawings were decoded. */
function pictureGroups(pictures: Collected['pictures'], groupSize: number): readonly (readonly Pixels[])[] {
  const groups: Pixels[][] = [];
  for (let from = 0; from < pictures.length; from += groupSize)
    groups.push(pictures.slice(from, from + groupSize).filter((picture) => picture !== undefined));
  return groups;
}

/** The pace of the last steps; the first ones compile programs and are forgotten soon. */
export class Pace {
  readonly #recent: number[] = [];

  note(seconds: number): void {
    this.#recent.push(seconds);
    if (this.#recent.length > 20) this.#recent.shift();
  }

  secondsLeft(stepsLeft: number): number {
    if (this.#recent.length === 0) return Number.NaN;
    return (stepsLeft * this.#recent.reduce((sum, seconds) => sum + seconds, 0)) / this.#recent.length;
  }
}
