/**
 * What a run is watched for: states in which it can learn nothing any more, which stop it with a reason, and signs that its numbers
 * should not be trusted, which warn. Each guard is a few lines of arithmetic on what the steps report anyway.
 */
import type { RunConfig } from '../run/config.ts';
import type { EvaluationEvent, GuardEvent } from '../run/events.ts';
import { mean, unbiasedStd } from '../statistics.ts';

/** What guards remember from step to step; part of every checkpoint. */
export interface GuardMemory {
  /** Steps in a row without a gradient or without a difference in any group. */
  readonly idleSteps: number;
  /** Mean entropy of the first steps, in nats. */
  readonly firstEntropy: number | null;
  /** Running average of the KL divergence from the reference, in nats a decision; policies begin at 0. */
  readonly kl: number;
  /** Warnings that were given: each is given once. */
  readonly given: readonly string[];
}

export const freshMemory: GuardMemory = { idleSteps: 0, firstEntropy: null, kl: 0, given: [] };

type Finding = Omit<GuardEvent, 'step'>;

/** More than rounding: generation and training do not compute the same policy. In nats, on one decision. */
const mismatchLimit = 0.05;
/** Decay of the running average of KL. The k3 estimate of one step has a heavy tail: single steps of 0.9 were seen among 0.16. */
const klDecay = 0.8;
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

  const kl = Number.isFinite(value('kl')) ? klDecay * memory.kl + (1 - klDecay) * value('kl') : memory.kl;
  if (kl > guards.maxKl)
    stop(
      'kl',
      `The KL divergence from the reference is ${kl.toPrecision(3)} nats a decision on average, above ${guards.maxKl}. Lower the learning rate or raise the algorithm's beta.`,
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
    memory: { idleSteps, firstEntropy, kl, given: [...new Set([...memory.given, ...fresh.map(({ guard }) => guard)])] },
    findings: fresh,
  };
}

/** By how much a reward of the same drawings changed; undefined where fewer than two were judged twice. */
function changeOf(reward: string, first: EvaluationEvent, now: EvaluationEvent) {
  const changes = now.drawings.flatMap(({ rewards }, i) => {
    const change = (rewards[reward] ?? Number.NaN) - (first.drawings[i]?.rewards[reward] ?? Number.NaN);
    return Number.isNaN(change) ? [] : [change];
  });
  return changes.length < 2
    ? undefined
    : { mean: mean(changes), error: unbiasedStd(changes) / Math.sqrt(changes.length) };
}

/** After an evaluation: the score fell by more than chance does it while the policy was being trained. */
export function guardEvaluation(first: EvaluationEvent, now: EvaluationEvent): readonly Finding[] {
  const change = changeOf(now.score, first, now);
  if (!change || change.mean >= -3 * change.error || change.mean === 0) return [];
  return [
    {
      guard: 'score',
      level: 'warn',
      message: `On held-out prompts '${now.score}' fell by ${(-change.mean).toPrecision(2)} (standard error ${change.error.toPrecision(1)}) since the start, while the policy follows its reward: it may be exploiting it.`,
    },
  ];
}

/** A reward that is trained with rose on held-out prompts beyond chance, and the score, another judge, did not. */
export function guardProxy(
  first: EvaluationEvent,
  now: EvaluationEvent,
  trainedOn: readonly string[],
): readonly Finding[] {
  const score = changeOf(now.score, first, now);
  if (!score || trainedOn.includes(now.score) || score.mean > 2 * score.error) return [];
  return trainedOn.flatMap((reward): Finding[] => {
    const proxy = changeOf(reward, first, now);
    if (!proxy || proxy.mean === 0 || proxy.mean <= 3 * proxy.error) return [];
    const [before, after] = [first, now].map(({ signs }) => signs?.[`correlation/${reward}`]?.toFixed(2) ?? 'unknown');
    return [
      {
        guard: 'proxy',
        level: 'warn',
        message: `On held-out prompts the reward '${reward}' rose by ${proxy.mean.toPrecision(2)} (standard error ${proxy.error.toPrecision(1)}) since the start, but '${now.score}' changed by ${score.mean.toPrecision(2)} (${score.error.toPrecision(1)}): what is trained may not be what is wanted. Their correlation over drawings was ${before} and is ${after}.`,
      },
    ];
  });
}

/** Share by which the look of pictures may change before somebody should look at them. */
const lookShare = 0.5;

/** Pictures look otherwise than at the start: a sign of a reward that is exploited, and seen at once by whoever looks. */
export function guardPictures(first: EvaluationEvent, now: EvaluationEvent): readonly Finding[] {
  return ['saturation', 'brightness', 'sharpness', 'diversity'].flatMap((name): Finding[] => {
    const [before, after] = [first.signs?.[name] ?? Number.NaN, now.signs?.[name] ?? Number.NaN];
    if (!(Math.abs(after - before) > lookShare * before)) return [];
    return [
      {
        guard: name,
        level: 'warn',
        message: `The ${name} of held-out drawings went from ${before.toPrecision(2)} to ${after.toPrecision(2)} (0 to 1) since the start. Look at the drawings: the reward may be raised by how they look and not by what they show.`,
      },
    ];
  });
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
