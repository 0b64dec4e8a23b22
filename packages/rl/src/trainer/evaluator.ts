/** The evaluations of a run: which are due, what they found, and whether that should worry anybody. */
import type { EventLog } from '@gvu/core';
import type { ActiveAdapter, Drawing } from '@gvu/models';
import { entryName, type Reader, type RewardEntry } from '@gvu/rewards';
import type { EvaluationEvent, GuardEvent, RunEvent } from '../run/events.ts';
import { checkJudge, drawHeldOut, finite, fixedSet, type JudgeCheck, signsOf, summarise } from './evaluate.ts';
import { guardEvaluation, guardJudge, guardPictures, guardProxy } from './guards.ts';
import { appendEvent, putImage } from './record.ts';
import type { RunParts, TrainOptions } from './train.ts';

export interface EvaluatorOptions {
  readonly parts: RunParts;
  readonly options: TrainOptions;
  readonly log: EventLog;
  /** Events of the run so far, as far as they count. */
  readonly past: readonly RunEvent[];
  readonly adapter: ActiveAdapter;
  readonly judges: readonly RewardEntry[];
  /** A teacher that changes in training and is therefore watched. */
  readonly teacher: Reader | undefined;
  /** KL divergence of the policy from the base on drawings of the policy, in nats a decision. */
  readonly kl: (drawings: readonly Drawing[]) => Promise<number>;
}

export interface Evaluator {
  /** Evaluates unless that has been done at this step or is not due. `last` = training is over. */
  evaluateIfDue(step: number, options: { readonly last: boolean; readonly secondsLeft: number }): Promise<void>;
}

export async function createEvaluator(given: EvaluatorOptions): Promise<Evaluator> {
  const { parts, options, log, past, adapter, judges, teacher, kl } = given;
  const { config, onProgress, signal } = options;
  const { backend, prompts: source, exam } = parts;
  const { every, perTag, tests, seed, images: kept } = config.evaluation;
  const trainedOn = config.rewards.flatMap(({ name, use, weight }) => (weight > 0 ? [name ?? use] : []));
  const done = new Map<number, EvaluationEvent>();
  const examined = new Set<number>();
  for (const { type, data } of past) {
    if (type === 'evaluation') done.set(data.step, data);
    if (type === 'exam') examined.add(data.step);
  }
  const watched =
    teacher?.representations.includes('emitted-tokens') === true
      ? await fixedSet({ config, backend, source, signal })
      : undefined;
  let firstCheck: JudgeCheck | undefined = [...done.values()].find(({ judge }) => judge)?.judge;

  const warn = (step: number, findings: readonly Omit<GuardEvent, 'step'>[]) => {
    for (const finding of findings) appendEvent(log, 'guard', { step, ...finding });
  };

  async function evaluate(step: number, secondsLeft: number): Promise<void> {
    const started = performance.now();
    const drawn = await drawHeldOut({ config, backend, source, judges, adapter, signal });
    const judge =
      watched && teacher ? await checkJudge(teacher, watched, signal ?? new AbortController().signal) : undefined;
    const shown = new Map<string, number>();
    const drawings = await Promise.all(
      drawn.map(async ({ prompt, sample, pixels, rewards }) => {
        const tag = prompt.tag ?? null;
        const count = shown.get(tag ?? '') ?? 0;
        shown.set(tag ?? '', count + 1);
        return {
          prompt: prompt.prompt,
          tag,
          sample,
          rewards,
          image: count < kept ? await putImage(log, pixels) : null,
        };
      }),
    );
    const names = judges.map(entryName);
    const signs = { kl: await kl(drawn.map(({ drawing }) => drawing)), ...signsOf(drawn, names) };
    const event: EvaluationEvent = {
      step,
      seconds: (performance.now() - started) / 1000,
      score: names[0] ?? '',
      judges: Object.fromEntries(judges.map((judge) => [entryName(judge), judge.reward.version])),
      ...summarise(drawn, names),
      drawings,
      ...(judge && { judge }),
      signs: Object.fromEntries(Object.entries(signs).map(([name, value]) => [name, finite(value)])),
    };
    appendEvent(log, 'evaluation', event);
    const [first] = done.values();
    done.set(step, event);
    if (first)
      warn(step, [
        ...guardEvaluation(first, event),
        ...guardProxy(first, event, trainedOn),
        ...guardPictures(first, event),
      ]);
    if (judge && firstCheck) warn(step, guardJudge(firstCheck, judge));
    firstCheck ??= judge;
    onProgress?.({ phase: 'evaluation', step, steps: config.steps, metrics: event.overall, secondsLeft });
  }

  async function examine(step: number, secondsLeft: number): Promise<void> {
    if (!exam || tests === 0) return;
    const scores = await exam.take(backend, { adapter, seed, tests, signal });
    appendEvent(log, 'exam', { step, name: exam.name, scores });
    const metrics = Object.fromEntries(Object.entries(scores).map(([name, { correct, n }]) => [name, correct / n]));
    onProgress?.({ phase: 'exam', step, steps: config.steps, metrics, secondsLeft });
  }

  return {
    async evaluateIfDue(step, { last, secondsLeft }) {
      const end = last || step === 0;
      const due = end || (every > 0 && step % every === 0);
      if (perTag > 0 && judges.length > 0 && due && !done.has(step)) await evaluate(step, secondsLeft);
      if (end && !examined.has(step)) await examine(step, secondsLeft);
    },
  };
}
