/**
 * The runs of a reproduction, as data: the method beside its control and its baseline from the regular base, and the method from the weak
 * one, all with several seeds; and one setting changed at a time with one seed. Everything else is the preset. The plan is written to
 * `reproduce.json` before the first run, and decides what going on means.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { defineConfig, type JsonValue } from '@gvu/core';
import { type ReproducedPlace, roles, type ScoreGroup } from '@gvu/evals';
import { type RunConfig, runConfig } from '@gvu/rl';
import { readJsonFile, writeJsonFile } from '../config/json-file.ts';
import { assign } from '../config/merge.ts';
import { plain } from '../config/sources.ts';
import { cliErrors } from '../errors.ts';

/** What `--only` chooses. */
export const parts = ['words', 'weak', 'regular', 'group-size', 'teacher', 'reward'] as const;
export type Part = (typeof parts)[number];

/** Benchmarks of backend-shapes whose categories make the rows of a table of the paper. */
export const scoreTables = [
  { benchmark: 'shapes-geneval', title: 'GenEval', paper: 'Table 1' },
  { benchmark: 'shapes-geneval-pp', title: 'GenEval++', paper: 'Table 3' },
] as const;

export interface PlannedRun extends ReproducedPlace {
  readonly part: Part;
  readonly config: RunConfig;
}

export interface ReproductionPlan {
  /** The command line that plans the same. */
  readonly command: string;
  readonly groups: readonly ScoreGroup[];
  /** The model behind the name of each base. */
  readonly bases: Readonly<Record<'weak' | 'regular', string>>;
  readonly runs: readonly PlannedRun[];
}

export interface PlanOptions {
  readonly command: string;
  /** The preset with everything that the user changed and what the backend brings; options that it leaves open follow the base. */
  readonly config: RunConfig;
  readonly bases: ReproductionPlan['bases'];
  readonly seeds: number;
  readonly groups: readonly ScoreGroup[];
  /** Who reads by default, which the first reward of the configuration need not say. */
  readonly teacher: string;
}

interface Arm extends Omit<ReproducedPlace, 'seed' | 'folder'> {
  readonly part: Part;
  /** Runs with the seeds from that of the configuration on. */
  readonly seeds: number;
  readonly changes: Readonly<Record<string, JsonValue>>;
}

/** Seed by seed, and the settings last: whenever it is stopped, the most important questions are the furthest. */
export function planReproduction({ command, config, bases, seeds, groups, teacher }: PlanOptions): ReproductionPlan {
  const shared = withJudges(config);
  const arms = armsOf(shared, { seeds, teacher });
  const runs = Array.from({ length: seeds }, (_, i) => i).flatMap((i) =>
    arms
      .filter((arm) => i < arm.seeds)
      .map(({ seeds: _, changes, ...arm }): PlannedRun => {
        const seed = config.seed + i;
        const values = { ...changes, seed, 'backend.options.model': bases[arm.base === 'weak' ? 'weak' : 'regular'] };
        const changed = Object.entries(values).reduce(
          (all, [path, value]) => assign(all, { path: path.split('.'), value }),
          plain(shared),
        );
        return {
          ...arm,
          seed,
          folder: `${arm.arm}-seed${seed}`,
          config: runConfig.parse(changed, { source: `The run ${arm.arm}` }),
        };
      }),
  );
  // With one seed, the settings would come between: they still are the last.
  const main = runs.filter(({ part }) => part === 'weak' || part === 'regular');
  return { command, groups, bases, runs: [...main, ...runs.filter((run) => !main.includes(run))] };
}

function armsOf(config: RunConfig, { seeds, teacher }: Pick<PlanOptions, 'seeds' | 'teacher'>): readonly Arm[] {
  const { groupSize, promptsPerStep } = config;
  const drawings = groupSize * promptsPerStep;
  const rewards = (use: string) => ({ rewards: [{ use }] });
  const main = (base: 'weak' | 'regular') => ({ base, part: base, seeds });
  const ablation = (role: 'group-size' | 'teacher' | 'reward') => ({
    base: 'regular',
    part: role,
    role,
    seeds: 1,
  });
  return [
    { ...main('regular'), arm: 'regular-gvu', title: 'GvU', role: 'method', changes: {} },
    {
      ...main('regular'),
      arm: 'regular-random',
      title: 'random reward',
      role: 'control',
      changes: rewards('random'),
    },
    {
      ...main('regular'),
      arm: 'regular-bag-of-words',
      title: 'bag of words (image level)',
      role: 'baseline',
      changes: rewards('bag-of-words'),
    },
    { ...main('weak'), arm: 'weak-gvu', title: 'GvU', role: 'method', changes: {} },
    ...[2, 8, 16]
      .filter((size) => size !== groupSize)
      .map((size) => ({
        ...ablation('group-size'),
        arm: `regular-gvu-g${size}`,
        title: `G = ${size}`,
        changes: { groupSize: size, promptsPerStep: Math.max(1, Math.round(drawings / size)) },
      })),
    ...['frozen', 'live', 'ema']
      .filter((kind) => kind !== teacher)
      .map((kind) => ({
        ...ablation('teacher'),
        arm: `regular-gvu-${kind}`,
        title: `${kind} teacher`,
        changes: { 'rewards.0.options.teacher': kind },
      })),
    ...[
      ['gvu-log', 'gvu-log'],
      ['gvu-pmi', 'gvu-pmi'],
      ['jpeg-size', 'jpeg-size (hackable control)'],
      ['detector', 'detector (oracle)'],
    ].map(([use = '', title = '']) => ({
      ...ablation('reward'),
      arm: `regular-${use}`,
      title,
      changes: rewards(use),
    })),
  ];
}

/** The self-reward and the baseline judge all drawings too, with weight 0: a reward that rises without the score is seen. */
function withJudges(config: RunConfig): RunConfig {
  const judges = [...(config.evaluation.rewards ?? [])];
  for (const use of ['gvu', 'bag-of-words'])
    if (!judges.some((judge) => judge.use === use))
      judges.push({ use, options: {}, weight: 0, onError: 'skip-sample' });
  return { ...config, evaluation: { ...config.evaluation, rewards: judges } };
}

const planFile = 'reproduce.json';
const text = { type: 'string' } as const;
const name = { type: 'string', pattern: '^[A-Za-z0-9-]+$' } as const;

const schema = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['format', 'command', 'groups', 'bases', 'runs'],
  properties: {
    format: { const: 1 },
    command: text,
    groups: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['title', 'paper', 'tags'],
        properties: { title: text, paper: text, tags: { type: 'array', items: text } },
      },
    },
    bases: {
      type: 'object',
      additionalProperties: false,
      required: ['weak', 'regular'],
      properties: { weak: text, regular: text },
    },
    runs: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['arm', 'title', 'base', 'role', 'part', 'seed', 'folder', 'config'],
        properties: {
          arm: name,
          title: text,
          base: { enum: ['weak', 'regular'] },
          role: { enum: roles },
          part: { enum: parts },
          seed: { type: 'integer', minimum: 0 },
          folder: name,
          config: { type: 'object' },
        },
      },
    },
  },
});

/** The plan of the reproduction in a folder; undefined when there is none. Throws GVU_CLI_FILE, GVU_CONFIG_INVALID. */
export async function readPlan(folder: string): Promise<ReproductionPlan | undefined> {
  const path = join(folder, planFile);
  const content = await readJsonFile(path);
  if (content === undefined) return undefined;
  const source = `'${path}'`;
  const { command, groups, bases, runs } = schema.parse(content, { source });
  return {
    command,
    groups,
    bases,
    runs: runs.map((run) => ({ ...run, config: runConfig.parse(run.config, { source }) })),
  };
}

/** Throws GVU_CLI_FILE. */
export async function writePlan(folder: string, plan: ReproductionPlan): Promise<void> {
  await writeJsonFile(join(folder, planFile), { format: 1, ...plan });
}

/** Throws GVU_CLI_USAGE when the command line asks for another plan than the folder holds. */
export function requireSame(folder: string, there: ReproductionPlan, asked: ReproductionPlan): void {
  if (isDeepStrictEqual(plain(there), plain(asked))) return;
  throw cliErrors.error('GVU_CLI_USAGE', `'${folder}' holds a reproduction with other seeds, settings or bases.`, {
    hint: `Go on with it by \`gvu reproduce --out ${folder}\` alone, or give another folder.`,
  });
}
