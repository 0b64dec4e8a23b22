/**
 * The flags of `gvu train` that stand for keys of the configuration: one table, from which the help, the merging and the documentation
 * follow. Values are judged by the schema of the configuration, together with everything else.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Assignment, looseJson, partOf } from './merge.ts';

interface ConfigFlag {
  /** As commander declares it. */
  readonly flag: string;
  /** Under which commander gives its value. */
  readonly name: string;
  readonly description: string;
  assign(value: string | readonly string[]): readonly Assignment[];
}

const text = (path: string) => (value: string | readonly string[]) => [{ path: path.split('.'), value: String(value) }];
const json = (path: string) => (value: string | readonly string[]) => [
  { path: path.split('.'), value: looseJson(String(value)) },
];

/** A path is made absolute, so that a run can be continued from another directory; a name stays as it is. */
function pathOrName(value: string): string {
  return /[\\/]/.test(value) && existsSync(value) ? resolve(value) : value;
}

export const configFlags: readonly ConfigFlag[] = [
  { flag: '--backend <id>', name: 'backend', description: 'the model (backend.use)', assign: text('backend.use') },
  {
    flag: '--model <name-or-directory>',
    name: 'model',
    description: 'the weights (backend.options.model)',
    assign: (model) => [{ path: ['backend', 'options', 'model'], value: pathOrName(String(model)) }],
  },
  {
    flag: '--reward <id-or-json>',
    name: 'reward',
    description: 'the reward, or {"use":"id","options":{...}}; repeat it to add rewards up (replaces rewards)',
    assign: (ids) => [{ path: ['rewards'], value: [ids].flat().map(partOf) }],
  },
  {
    flag: '--teacher <kind>',
    name: 'teacher',
    description: 'who reads: live, frozen or ema (options.teacher of the first reward)',
    assign: text('rewards.0.options.teacher'),
  },
  {
    flag: '--algorithm <id>',
    name: 'algorithm',
    description: 'the algorithm (algorithm.use)',
    assign: text('algorithm.use'),
  },
  { flag: '--steps <n>', name: 'steps', description: 'steps of training (steps)', assign: json('steps') },
  { flag: '--seed <n>', name: 'seed', description: 'everything random follows from it (seed)', assign: json('seed') },
  {
    flag: '--learning-rate <x>',
    name: 'learningRate',
    description: 'peak learning rate (learningRate)',
    assign: json('learningRate'),
  },
  {
    flag: '--group-size <n>',
    name: 'groupSize',
    description: 'drawings of each prompt (groupSize)',
    assign: json('groupSize'),
  },
  {
    flag: '--prompts-per-step <n>',
    name: 'promptsPerStep',
    description: 'prompts of a step (promptsPerStep)',
    assign: json('promptsPerStep'),
  },
  {
    flag: '--prompts <file>',
    name: 'prompts',
    description: 'prompts of a file, one a line (prompts.use=file)',
    assign: (file) => [{ path: ['prompts'], value: { use: 'file', options: { path: resolve(String(file)) } } }],
  },
  {
    flag: '--max-minutes <x>',
    name: 'maxMinutes',
    description: 'stop after the step in which this time is over (maxMinutes)',
    assign: json('maxMinutes'),
  },
];

/** What the flags in use say. `options` as commander gives them, with other options among them. */
export function flagAssignments(options: Readonly<Record<string, unknown>>): readonly Assignment[] {
  return configFlags.flatMap(({ name, assign }) => {
    const value = options[name];
    if (Array.isArray(value)) return assign(value.map(String));
    return typeof value === 'string' ? assign(value) : [];
  });
}
