/** What was run, on what, for how long: the facts that the report of a reproduction begins with. */
import { isRecord } from '@gvu/core';
import { duration } from '../numbers.ts';
import type { Fact } from '../run-facts.ts';
import type { Reproduction } from './reproduction.ts';

export type { Fact } from '../run-facts.ts';

export function reproductionFacts({ arms, missing }: Reproduction): readonly Fact[] {
  const runs = arms.flatMap((arm) => arm.runs.map((run) => ({ ...run, base: arm.base })));
  const records = runs.map(({ record }) => record);
  const [first] = records;
  if (!first) return [{ label: 'runs', text: `none is done of ${missing.length}` }];
  const bases = new Map(
    runs.map(({ base, record: { started } }) => [
      base,
      `${started.backend.name} ${started.backend.version}, ${started.backend.parameters.toLocaleString('en')} parameters, ${started.trainable.toLocaleString('en')} trained`,
    ]),
  );
  const versions = new Set(
    records.map(({ started }) =>
      Object.entries(started.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ),
  );
  const judges = Object.entries(first.evaluations[0]?.judges ?? {}).map(([name, version]) => `${name} ${version}`);
  const starts = records.map(({ startedAt }) => Date.parse(startedAt));
  const ends = records.map(({ endedAt }) => Date.parse(endedAt ?? ''));
  const atOnce = starts.map(
    (moment) => starts.filter((start, i) => start <= moment && moment < (ends[i] ?? start)).length,
  );
  const sum = records.reduce((total, { ended }) => total + (ended?.seconds ?? 0), 0);
  return [
    ...[...bases].map(([base, text]) => ({ label: `${base} base`, text })),
    { label: 'budget of a run', text: budgetText(first.started.config) },
    { label: 'judges', text: judges.join('; ') },
    { label: 'held-out', text: heldOutText(first.evaluations[0]?.drawings ?? []) },
    { label: 'versions', text: [...versions].join('; ') },
    { label: 'runs', text: `${runs.length} done${missing.length > 0 ? `, ${missing.length} not` : ''}` },
    {
      label: 'time',
      text: `${duration(sum)} in all runs together; ${duration((Math.max(...ends) - Math.min(...starts)) / 1000)} from the first start to the last end, up to ${Math.max(1, ...atOnce)} at a time`,
    },
    { label: 'begun', text: new Date(Math.min(...starts)).toISOString() },
  ];
}

function budgetText(config: unknown): string {
  if (!isRecord(config)) return 'unknown';
  const { steps, promptsPerStep, groupSize, learningRate } = config;
  return `${steps} steps of ${promptsPerStep} prompts with ${groupSize} drawings each, learning rate ${learningRate}`;
}

function heldOutText(drawings: readonly { readonly prompt: string; readonly tag: string | null }[]): string {
  const prompts = new Set(drawings.map(({ tag, prompt }) => JSON.stringify([tag, prompt])));
  const tags = new Set(drawings.map(({ tag }) => tag));
  return `${prompts.size} prompts of ${tags.size} categories, ${drawings.length} drawings; the same prompts and randomness at every evaluation of every run`;
}
