/**
 * What a run is watched for: states in which it can learn nothing any more, which stop it with a reason, and signs that its numbers
 * should not be trusted, which warn. Each guard is a few lines of arithmetic on what the steps report anyway.
 */
import type { RunConfig } from '../run/config.ts';
import type { EvaluationEvent, GuardEvent } from '../run/events.ts';

/** What guards remember from step to step; part of every checkpoint. */
export interface GuardMemory {
  /** Steps in a row without a gradient or without a difference in any group. */
  readonly idleSteps: number;
  /** Mean entropy of the first steps, in nats. */
  readonly firstEntropy: number | null;
  /** Warnings that were given: each is given once. */
  readonly given: readonly string[];
}

export const freshMemory: GuardMemory = { idleSteps: 0, firstEntropy: null, given: [] };

type Finding = Omit<GuardEvent, 'step'>;

/** More than rounding: generation and training do not compute the same policy. In nats, on one decision. */
const mismatchLimit = 0.05;
/** Share of the first entropy below which the drawings have become too much alike to be compared. */
const entropyShare = 0.2;
/** Share of drawings that are the same as another one in their group. */
const duplicateShare = 0.5;

/** After a step; `metrics` as in `StepEvent`. */
export function guardStep(
  metrics: Readonly<Record<string, number>>,
  memory: GuardMemory,
  { guards, sampler }: Pick<RunConfig, 'guards' | 'sampler'>,
): { readonly memory: GuardMemory; readonly findings: readonly Finding[] } {
  const value = (name: string) => metrics[name] ?? Number.NaN;
  const findings: Finding[] = [];
  const stop = (guard: string, message: string) => findings.push({ guard, level: 'stop', message });
  const warn = (guard: string, message: string) => findings.push({ guard, level: 'warn', message });

  const norm = value('gradient/norm');
  if (!Number.isFinite(norm))
    stop(
      'gradient',
      `The gradient is ${norm}; the adapter was left as it was. Lower the learning rate, or look for NaN in the rewards.`,
    );

  const idle = norm === 0 || value('ties') === 1;
  const idleSteps = idle ? memory.idleSteps + 1 : 0;
  if (guards.idleSteps > 0 && idleSteps >= guards.idleSteps)
    stop(
      'idle',
      `In ${idleSteps} steps in a row no drawing was better than another of its prompt, so there is nothing to learn from. The reward may be saturated or constant, the drawings all alike, or the learning rate 0.`,
    );

  if (value('kl') > guards.maxKl)
    stop(
      'kl',
      `The KL divergence from the reference is ${value('kl').toPrecision(3)} nats a decision, above ${guards.maxKl}. Lower the learning rate or raise the algorithm's beta.`,
    );

  if (!sampler && value('sampler/mismatch') > mismatchLimit)
    warn(
      'mismatch',
      `A decision's log-probability differs by ${value('sampler/mismatch').toPrecision(2)} nats between drawing and learning: they do not compute the same policy.`,
    );

  const entropy = value('entropy');
  const firstEntropy = memory.firstEntropy ?? (Number.isFinite(entropy) ? entropy : null);
  if (firstEntropy !== null && entropy < entropyShare * firstEntropy)
    warn(
      'entropy',
      `The entropy of the policy fell from ${firstEntropy.toPrecision(3)} to ${entropy.toPrecision(2)} nats a decision: drawings of a prompt become the same.`,
    );

  if (value('duplicates') > duplicateShare)
    warn(
      'duplicates',
      `${Math.round(100 * value('duplicates'))} % of the drawings equal another one of their prompt. Raise the temperature or an entropy bonus.`,
    );

  if (value('unscorable') > 0.5)
    warn('unscorable', `${Math.round(100 * value('unscorable'))} % of the drawings could not be scored by any reward.`);

  const fresh = findings.filter(({ guard, level }) => level === 'stop' || !memory.given.includes(guard));
  return {
    memory: { idleSteps, firstEntropy, given: [...new Set([...memory.given, ...fresh.map(({ guard }) => guard)])] },
    findings: fresh,
  };
}

/** After an evaluation: the score fell by more than chance does it while the policy was being trained. */
export function guardEvaluation(first: EvaluationEvent, now: EvaluationEvent): readonly Finding[] {
  const scores = (event: EvaluationEvent) => event.drawings.map(({ rewards }) => rewards[event.score] ?? Number.NaN);
  const [before, after] = [scores(first), scores(now)];
  const changes = after.flatMap((value, i) => {
    const change = value - (before[i] ?? Number.NaN);
    return Number.isNaN(change) ? [] : [change];
  });
  if (changes.length < 2) return [];
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  const variance = changes.reduce((sum, change) => sum + (change - mean) ** 2, 0) / (changes.length - 1);
  const error = Math.sqrt(variance / changes.length);
  if (mean >= -3 * error || mean === 0) return [];
  return [
    {
      guard: 'score',
      level: 'warn',
      message: `On held-out prompts '${now.score}' fell by ${(-mean).toPrecision(2)} (standard error ${error.toPrecision(1)}) since the start, while the policy follows its reward: it may be exploiting it.`,
    },
  ];
}

/** The teacher tells right prompts from wrong ones much less well than at the start, on drawings that have not changed. */
export function guardJudge(
  first: { readonly right: number; readonly wrong: number },
  now: { readonly right: number; readonly wrong: number },
): readonly Finding[] {
  const [before, after] = [first.right - first.wrong, now.right - now.wrong];
  if (!(after < before / 2)) return [];
  return [
    {
      guard: 'judge',
      level: 'warn',
      message: `On the same drawings the teacher's margin between right and wrong prompts fell from ${before.toPrecision(3)} to ${after.toPrecision(3)} nats a token: training is changing the judge. Use a frozen teacher.`,
    },
  ];
}
