/** What was run, in words: the facts that summary and report both begin with. */
import { isRecord, type JsonValue } from '@gvu/core';
import { brief, duration } from './numbers.ts';
import { progressOf, type RunRecord } from './run-record.ts';

export interface Fact {
  readonly label: string;
  readonly text: string;
}

/** How far the run came and why it ended there. */
export function statusOf(record: RunRecord): string {
  const { step, steps, seconds } = progressOf(record);
  const way = `${step}${steps === null ? '' : ` of ${steps}`} steps in ${duration(seconds)}`;
  if (record.ended === null) return `not ended: ${way} so far`;
  const { reason, message } = record.ended;
  if (reason === 'finished') return `finished: ${way}`;
  const why = { stopped: 'stopped', time: 'ended by its time limit', guard: 'ended by a guard', failed: 'failed' }[
    reason
  ];
  return `${why ?? reason}: ${way}${message === '' ? '' : ` (${message})`}`;
}

/** Model, rewards, readers, algorithm, seed, versions. */
export function factsOf(record: RunRecord): readonly Fact[] {
  const { started, rollouts, evaluations, exams } = record;
  const { backend, trainable, versions, config } = started;
  const teachers = new Set(
    rollouts.flatMap(({ teacher }) => (teacher ? [`${teacher.kind} (${teacher.representation})`] : [])),
  );
  const teacherStates = new Set(rollouts.flatMap(({ teacher }) => (teacher ? [teacher.version] : [])));
  const states = [...teacherStates];
  const state = states.length === 1 ? `, state ${states[0]}` : states.length > 1 ? `, ${states.length} states` : '';
  const examNames = [...new Set(exams.map(({ name }) => name))];
  const facts: readonly (Fact | null)[] = [
    { label: 'status', text: statusOf(record) },
    {
      label: 'model',
      text: `${backend.name} ${backend.version}, policy ${backend.policy}, ${backend.parameters.toLocaleString('en')} parameters, ${trainable.toLocaleString('en')} of them trained`,
    },
    fact('reward', rewardsText(config)),
    fact('teacher', teachers.size > 0 ? `${[...teachers].join(', ')}${state}` : undefined),
    fact('judge', evaluations[0]?.score),
    fact('exam', examNames.length > 0 ? examNames.join(', ') : undefined),
    fact('algorithm', algorithmText(config)),
    fact('seed', scalar(member(config, 'seed'))),
    fact('a step', stepTimeText(record)),
    fact(
      'versions',
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ') || undefined,
    ),
  ];
  return facts.filter((entry) => entry !== null);
}

const phases = ['draw', 'decode', 'score', 'learn'] as const;

/** What the time of a step goes into, and how much of it is inside the engine: means over the steps of the run. */
function stepTimeText({ steps }: RunRecord): string | undefined {
  if (steps.length === 0) return undefined;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / steps.length;
  const metric = (name: string) => mean(steps.map(({ metrics }) => metrics[name] ?? Number.NaN));
  const seconds = mean(steps.map((step) => step.seconds));
  const share = (part: number, whole: number) => (whole > 0 ? `${Math.round((100 * part) / whole)} %` : '-');
  const parts = phases.flatMap((phase) => {
    const [time, engine] = [metric(`time/${phase}`), metric(`engine/${phase}`)];
    return Number.isFinite(time) && Number.isFinite(engine)
      ? [`${phase} ${brief(time)} s (${share(engine, time)})`]
      : [];
  });
  const inside = metric('time/engine');
  return [
    `${brief(seconds)} s`,
    ...(Number.isFinite(inside) ? [`, ${share(inside, seconds)} of it inside ONNX Runtime`] : []),
    ...(parts.length > 0 ? [`: ${parts.join(', ')}`] : []),
  ].join('');
}

function fact(label: string, text: string | undefined): Fact | null {
  return text === undefined ? null : { label, text };
}

/** Configurations of other versions of GvU may lack anything. */
function member(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

function scalar(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function rewardsText(config: JsonValue): string | undefined {
  const entries = member(config, 'rewards');
  if (!Array.isArray(entries)) return undefined;
  const names = entries.map((entry: unknown) => {
    const weight = member(entry, 'weight');
    return `${scalar(member(entry, 'name')) ?? scalar(member(entry, 'use')) ?? '?'}${weight === undefined || weight === 1 ? '' : ` x ${scalar(weight)}`}`;
  });
  return names.join(' + ') || undefined;
}

function algorithmText(config: JsonValue): string | undefined {
  const parts = [
    scalar(member(member(config, 'algorithm'), 'use')),
    ...[
      ['promptsPerStep', 'prompts a step'],
      ['groupSize', 'drawings a prompt'],
      ['learningRate', 'learning rate'],
    ].map(([key = '', label]) => {
      const value = scalar(member(config, key));
      return value === undefined ? undefined : key === 'learningRate' ? `${label} ${value}` : `${value} ${label}`;
    }),
  ].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(', ') : undefined;
}
