/**
 * What a comparison consists of: its arms, its seeds, and the configuration that all runs share. It is written to `compare.json` before
 * the first run, and decides what going on means. Pure but for reading and writing that file.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { defineConfig } from '@gvu/core';
import type { RunPlace } from '@gvu/evals';
import { type RunConfig, runConfig } from '@gvu/rl';
import { readJsonFile, writeJsonFile } from '../config/json-file.ts';
import { partOf } from '../config/merge.ts';
import { plain } from '../config/sources.ts';
import { cliErrors } from '../errors.ts';

type RewardConfig = RunConfig['rewards'][number];

export interface Arm {
  /** Names it in tables and folders. */
  readonly name: string;
  readonly reward: RewardConfig;
}

export interface ComparisonPlan {
  readonly arms: readonly Arm[];
  readonly seeds: readonly number[];
  /** Of every run, but for the seed and the rewards that it is trained with. */
  readonly config: RunConfig;
}

export interface PlannedRun extends RunPlace {
  readonly config: RunConfig;
}

/**
 * The plan for rewards as the command line gives them: an id, or JSON `{ use, options }`. Every reward of an arm also judges, with weight 0,
 * so that each arm is seen by all. `config` has its judges filled in. Throws GVU_CLI_USAGE, GVU_CONFIG_INVALID.
 */
export function planComparison(config: RunConfig, given: readonly string[], seeds: number): ComparisonPlan {
  if (given.length < 2)
    throw cliErrors.error(
      'GVU_CLI_USAGE',
      `${given.length === 0 ? 'No reward is' : 'One reward is'} given; a comparison has at least two.`,
      {
        hint: 'Give --reward twice or more, such as --reward gvu --reward random.',
      },
    );
  const rewards = given.map(asReward);
  const used = new Map<string, number>();
  const arms = rewards.map((reward): Arm => {
    const id = (reward.name ?? reward.use).replace(/^rewards\//, '').replace(/[^A-Za-z0-9.-]+/g, '-');
    const count = (used.get(id) ?? 0) + 1;
    used.set(id, count);
    return { name: count === 1 ? id : `${id}-${count}`, reward };
  });
  const repeated = rewards.find((reward, i) => rewards.slice(0, i).some((other) => isDeepStrictEqual(other, reward)));
  if (repeated)
    throw cliErrors.error('GVU_CLI_USAGE', `--reward ${repeated.use} is given twice alike.`, {
      hint: 'Give it other options the second time, or leave it out.',
    });
  return { arms, seeds: Array.from({ length: seeds }, (_, i) => config.seed + i), config: withJudges(config, rewards) };
}

function asReward(text: string): RewardConfig {
  const { rewards } = runConfig.parse({ rewards: [partOf(text)] }, { source: `--reward ${text}` });
  const [reward] = rewards ?? [];
  if (reward) return reward;
  throw new RangeError('unreachable: one reward in gives one out');
}

/**
 * Judges are known by their names: of two arms with one name, the first one judges. A teacher that follows the policy would be another judge
 * in each arm, so that all of them judge as the base does.
 */
function withJudges(config: RunConfig, rewards: readonly RewardConfig[]): RunConfig {
  const judges = [...(config.evaluation.rewards ?? [])];
  for (const { use, name, options } of rewards) {
    if (judges.some((judge) => (judge.name ?? judge.use) === (name ?? use))) continue;
    const fixed = 'teacher' in options ? { ...options, teacher: 'frozen' } : options;
    judges.push({ use, ...(name !== undefined && { name }), options: fixed, weight: 0, onError: 'skip-sample' });
  }
  return { ...config, evaluation: { ...config.evaluation, rewards: judges } };
}

/** All runs, seed by seed: whenever it is stopped, the arms are equally far. */
export function plannedRuns({ arms, seeds, config }: ComparisonPlan): readonly PlannedRun[] {
  return seeds.flatMap((seed) =>
    arms.map(({ name, reward }) => ({
      arm: name,
      seed,
      folder: `${name}-seed${seed}`,
      config: { ...config, seed, rewards: [reward] },
    })),
  );
}

const planFile = 'compare.json';

const schema = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['format', 'arms', 'seeds', 'config'],
  properties: {
    format: { const: 1 },
    arms: {
      type: 'array',
      minItems: 2,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'reward'],
        properties: { name: { type: 'string', pattern: '^[A-Za-z0-9.-]+$' }, reward: { type: 'object' } },
      },
    },
    seeds: { type: 'array', minItems: 1, uniqueItems: true, items: { type: 'integer', minimum: 0 } },
    config: { type: 'object' },
  },
});

/** The plan of the comparison in a folder; undefined when there is none. Throws GVU_CLI_FILE, GVU_CONFIG_INVALID. */
export async function readPlan(folder: string): Promise<ComparisonPlan | undefined> {
  const path = join(folder, planFile);
  const content = await readJsonFile(path);
  if (content === undefined) return undefined;
  const source = `'${path}'`;
  const { arms, seeds, config } = schema.parse(content, { source });
  return {
    seeds,
    config: runConfig.parse(config, { source }),
    arms: arms.map(({ name, reward }) => {
      const [parsed] = runConfig.parse({ rewards: [reward] }, { source }).rewards;
      if (parsed) return { name, reward: parsed };
      throw new RangeError('unreachable: one reward in gives one out');
    }),
  };
}

export async function writePlan(folder: string, plan: ComparisonPlan): Promise<void> {
  await writeJsonFile(join(folder, planFile), { format: 1, ...plan });
}

/** Throws GVU_CLI_USAGE when the command line asks for another comparison than the folder holds. */
export function requireSame(folder: string, there: ComparisonPlan, asked: ComparisonPlan): void {
  if (isDeepStrictEqual(plain(there), plain(asked))) return;
  throw cliErrors.error('GVU_CLI_USAGE', `'${folder}' holds a comparison with other rewards, seeds or settings.`, {
    hint: `Go on with it by \`gvu compare --out ${folder}\` alone, or give another folder.`,
  });
}
