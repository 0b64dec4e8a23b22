/**
 * What a configuration names, found among the plugins: that it is there, that its options fit, and then the things themselves.
 * All problems with options are reported at once, before anything heavy begins.
 */
import { type Contribution, coreErrors, isGvuError, isRecord, type JsonValue, type PluginHost } from '@gvu/core';
import { type Backend, backends, type Representation } from '@gvu/models';
import type { Runtime } from '@gvu/onnx';
import { chooseRepresentation, type RewardDeps, type RewardEntry, rewards } from '@gvu/rewards';
import { algorithms, exams, prompts, type RunConfig, type RunParts, runConfig } from '@gvu/rl';
import { cliErrors } from '../errors.ts';
import { assign, type JsonObject } from './merge.ts';
import { plain } from './sources.ts';

/** A contribution that a configuration names, and where. */
export interface NamedPart {
  readonly kind: string;
  /** Path of what holds its `use` and `options`. */
  readonly path: readonly string[];
  readonly use: string;
  readonly options: unknown;
}

export function namedParts(config: RunConfig): readonly NamedPart[] {
  const list = (path: readonly string[], entries: RunConfig['rewards'] = []) =>
    entries.map(({ use, options }, i) => ({ kind: 'rewards', path: [...path, String(i)], use, options }));
  const { backend, algorithm, evaluation } = config;
  const { use } = config.prompts;
  return [
    { kind: 'backends', path: ['backend'], use: backend.use, options: backend.options },
    ...(use === undefined ? [] : [{ kind: 'prompts', path: ['prompts'], use, options: config.prompts.options }]),
    { kind: 'algorithms', path: ['algorithm'], use: algorithm.use, options: algorithm.options },
    ...list(['rewards'], config.rewards),
    ...list(['evaluation', 'rewards'], evaluation.rewards),
  ];
}

/** What the backend's plugin brings besides it, where the configuration names nothing else: prompts, a judge, an exam. */
export function withBackendParts(host: PluginHost, config: RunConfig): RunConfig {
  const backend = findPart(host, { kind: 'backends', use: config.backend.use });
  const ownOf = (kind: string) => {
    const own = host.contributions(kind).filter(({ plugin }) => plugin.name === backend.plugin.name);
    return (own.find(({ id }) => id === backend.id) ?? own[0])?.id;
  };
  const judge = ownOf('rewards');
  // What is trained on judges too, so that a reward that rises without the score shows.
  const trained = config.rewards.filter(({ use, weight }) => use !== judge && weight !== 0);
  const judges: RunConfig['rewards'] =
    judge === undefined
      ? config.rewards
      : [
          { use: judge, options: {}, weight: 1, onError: 'fail' },
          ...trained.map(({ use, name, options }) => ({
            use,
            ...(name !== undefined && { name }),
            options,
            weight: 0,
            onError: 'skip-sample' as const,
          })),
        ];
  const use = config.prompts.use ?? ownOf('prompts');
  const { rewards = judges, exam = ownOf('exams') ?? '' } = config.evaluation;
  return {
    ...config,
    prompts: { ...config.prompts, ...(use !== undefined && { use }) },
    evaluation: { ...config.evaluation, rewards, exam },
  };
}

/**
 * The configuration with everything filled in that it leaves to the backend's plugin and to the defaults of contributions' options.
 * Throws GVU_PLUGIN_CONTRIBUTION_UNKNOWN for a name, GVU_CLI_USAGE without prompts, GVU_CONFIG_INVALID with every problem of the options.
 */
export function resolveOptions(host: PluginHost, given: RunConfig): RunConfig {
  const config = withBackendParts(host, given);
  if (config.prompts.use === undefined) throw noPrompts(config);
  const problems = listProblems(config);
  let resolved = plain(config);
  const parts = namedParts(config).map((part) => ({ ...part, contribution: findPart(host, part) }));
  const { exam = '' } = config.evaluation;
  if (exam !== '') findPart(host, { kind: 'exams', use: exam });
  for (const { path, use, options, contribution } of parts) {
    try {
      const inherited = inheritedOptions(host, config, contribution);
      const filled = contribution.options.parse({ ...inherited, ...toRecord(options) }, { source: use });
      // What fits a JSON Schema is JSON.
      resolved = assign(resolved, { path: [...path, 'options'], value: filled as JsonValue });
    } catch (error) {
      if (!isGvuError(error, 'GVU_CONFIG_INVALID')) throw error;
      // Judges that are the rewards of the run have their problems there.
      if (path[0] === 'evaluation' && given.evaluation.rewards === undefined) continue;
      const found = Array.isArray(error.details?.problems) ? error.details.problems : [];
      const at = `/${[...path, 'options'].join('/')}`;
      for (const item of found) {
        if (isRecord(item)) problems.push({ pointer: `${at}${item.pointer}`, message: String(item.message) });
      }
    }
  }
  if (problems.length > 0) {
    const lines = problems.map(({ pointer, message }) => `\n  ${pointer} ${message}`);
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    throw coreErrors.error('GVU_CONFIG_INVALID', `The options in the configuration have ${count}.${lines.join('')}`, {
      hint: '`gvu plugins show <id>` lists the options of a contribution.',
      details: { problems },
    });
  }
  return runConfig.parse(resolved, { source: 'The configuration' });
}

interface Problem {
  readonly pointer: string;
  readonly message: string;
}

/** Rewards of one name, whose numbers could not be told apart, and gates by rewards that are not there. */
function listProblems({ rewards, evaluation }: RunConfig): Problem[] {
  const problemsOf = (path: string, entries: RunConfig['rewards'] = []) =>
    entries.flatMap(({ gate, ...entry }, i): Problem[] => {
      const names = entries.map(listName);
      const repeated = names.indexOf(listName(entry)) < i;
      const others = names.filter((_, other) => other !== i);
      const known = others.length === 0 ? 'there is none' : others.join(', ');
      return [
        ...(repeated
          ? [{ pointer: `${path}/${i}`, message: `is another '${listName(entry)}': give one of them a name` }]
          : []),
        ...(gate && !others.includes(gate.by)
          ? [{ pointer: `${path}/${i}/gate/by`, message: `must be the name of another reward of the list (${known})` }]
          : []),
      ];
    });
  return [...problemsOf('/rewards', rewards), ...problemsOf('/evaluation/rewards', evaluation.rewards)];
}

function listName({ name, use }: Pick<RunConfig['rewards'][number], 'name' | 'use'>): string {
  return name ?? use.replace(/^rewards\//, '');
}

/** Throws GVU_PLUGIN_CONTRIBUTION_UNKNOWN with the nearest name of the kind. */
export function findPart(host: PluginHost, { kind, use }: Pick<NamedPart, 'kind' | 'use'>): Contribution {
  const found = host.contributions(kind).find(({ id }) => id === use || `${kind}/${id}` === use);
  return found ?? host.find(use.startsWith(`${kind}/`) ? use : `${kind}/${use}`);
}

/**
 * What a part takes over from the backend: prompts, judges and exams that come with a backend and take a `model` work with the same
 * one, unless they name another.
 */
function inheritedOptions(host: PluginHost, { backend }: RunConfig, part: Contribution): JsonObject {
  const { model } = toRecord(backend.options);
  const { schema } = part.options;
  const takesModel = isRecord(schema) && isRecord(schema.properties) && 'model' in schema.properties;
  const ownPlugin = findPart(host, { kind: 'backends', use: backend.use }).plugin.name === part.plugin.name;
  return takesModel && ownPlugin && typeof model === 'string' ? { model } : {};
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function noPrompts({ backend }: RunConfig): Error {
  return cliErrors.error('GVU_CLI_USAGE', `There are no prompts: the backend '${backend.use}' comes with none.`, {
    hint: 'Give a file of prompts, one a line: --prompts FILE.',
  });
}

/** Makes the parts of a resolved configuration. The backend is to be disposed of by the caller, before the runtime. */
export async function createParts(host: PluginHost, config: RunConfig, runtime: Runtime): Promise<RunParts> {
  const { backend, algorithm, evaluation } = config;
  const { exam = '' } = evaluation;
  const { use } = config.prompts;
  if (use === undefined) throw noPrompts(config);
  const entries =
    (list: RunConfig['rewards'] = []) =>
    async (deps: RewardDeps): Promise<readonly RewardEntry[]> => {
      const made = await Promise.all(list.map(({ use, options }) => host.create(rewards, use, { options, deps })));
      const nameOf = (wanted: string) => {
        const at = list.findIndex((entry) => listName(entry) === wanted);
        return list[at]?.name ?? made[at]?.name ?? wanted;
      };
      return made.flatMap((reward, i): RewardEntry[] => {
        const { name, weight, onError, gate } = list[i] ?? {};
        if (weight === undefined || onError === undefined) return [];
        return [{ reward, name, weight, onError, gate: gate && { ...gate, by: nameOf(gate.by) } }];
      });
    };
  const none = { deps: undefined };
  const examOptions = exam === '' ? {} : inheritedOptions(host, config, findPart(host, { kind: 'exams', use: exam }));
  const light = {
    prompts: await host.create(prompts, use, { options: config.prompts.options, ...none }),
    algorithm: await host.create(algorithms, algorithm.use, { options: algorithm.options, ...none }),
    exam: exam === '' ? undefined : await host.create(exams, exam, { options: examOptions, ...none }),
    rewards: entries(config.rewards),
    judges: entries(evaluation.rewards),
  };
  // Last, so that nothing else fails after it that would leave it open.
  const opened = await host.create(backends, backend.use, { options: backend.options, deps: { runtime } });
  try {
    checkRepresentations(opened, [...config.rewards, ...(evaluation.rewards ?? [])]);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  return { runtime, backend: opened, ...light };
}

const representations: readonly unknown[] = [
  'emitted-tokens',
  'retokenised-pixels',
  'features',
] satisfies Representation[];

/**
 * Rewards are made when a run has its folder and its states. What they would show the model is known before: throws
 * GVU_REWARD_REPRESENTATION where it cannot read that.
 */
function checkRepresentations(backend: Backend, entries: RunConfig['rewards']): void {
  const isKnown = (asked: unknown): asked is Representation => representations.includes(asked);
  for (const { options } of entries) {
    const { representation } = toRecord(options);
    if (isKnown(representation)) chooseRepresentation(backend, representation);
  }
}
