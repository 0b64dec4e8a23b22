/**
 * The self-rewards: the model, shown the image that it drew, says how probable the prompt is (GvU, Eq. 4-5).
 *
 *   gvu       exp((1/L) sum log p(T_j | image, P_sys, T_<j))   the paper's
 *   gvu-log   (1/L) sum log p                                  its logarithm (SUDER, arXiv 2506.07963)
 *   gvu-pmi   gvu-log - alpha × the same without the image     VisualGPTScore's remedy for easy wording
 *
 * Differences from the released code (facts that change numbers):
 *  - One teacher-forced pass for all L tokens, where it makes L passes; in log space, where its product underflows.
 *  - It judges with the policy that is being trained, because its switch to the base has no effect. Here the judge is chosen, and
 *    is frozen by default: a live one can raise its reward by finding such prompts more probable whatever the image shows.
 *  - It decodes the image and makes tokens of the picture again. Here the representation is chosen, and recorded with every score.
 */
import { defineConfig } from '@gvu/core';
import type { PromptTrace, ReadRequest, Representation } from '@gvu/models';
import { rewardErrors } from './errors.ts';
import { priorCache } from './prior-cache.ts';
import { type LikelihoodForm, promptLikelihood } from './prompt-likelihood.ts';
import type { Reader } from './reader.ts';
import type { Reward, RewardDeps, RewardScores, Rollout } from './reward.ts';
import { rolloutInput } from './rollout-input.ts';

/** Options of every reward for which the model reads. */
export const readingOptions = {
  teacher: {
    enum: ['frozen', 'live', 'ema'],
    default: 'frozen',
    description:
      'Who judges: the model as it was at the start (frozen), as it is now (live, as in the released code of GvU), or a running average of it (ema). Only a frozen judge keeps the same image at the same reward, so that a rising reward means better images; a live one can also raise it by finding such prompts more probable whatever the image shows.',
  },
  representation: {
    enum: ['emitted-tokens', 'retokenised-pixels', 'features'],
    description:
      'What the judge looks at: the tokens that the policy emitted, tokens made anew of the decoded picture (as in the released code of GvU), or features of the picture. Default: what the backend recommends.',
  },
  instruction: {
    type: 'string',
    minLength: 1,
    description:
      "What is said before the prompt, P_sys in the paper. Default: the backend's request for a description.",
  },
} as const;

export const gvuConfig = defineConfig({ type: 'object', additionalProperties: false, properties: readingOptions });

export const gvuPmiConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    ...readingOptions,
    alpha: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      description: 'How much of the mean log-probability without the image is taken off; 0 would be gvu-log.',
    },
  },
});

export type GvuOptions = ReturnType<typeof gvuConfig.parse>;
export type GvuPmiOptions = ReturnType<typeof gvuPmiConfig.parse>;
type Deps = Pick<RewardDeps, 'reader'>;

/** In [0, 1]: the probability of an average token of the prompt. Throws GVU_REWARD_REPRESENTATION. */
export function gvu(options: GvuOptions, deps: Deps): Reward {
  return selfReward({ name: 'gvu', form: 'geometric-mean', range: [0, 1] }, options, deps);
}

/** In (-inf, 0], in nats a token. Throws GVU_REWARD_REPRESENTATION. */
export function gvuLog(options: GvuOptions, deps: Deps): Reward {
  return selfReward({ name: 'gvu-log', form: 'mean-log', range: [Number.NEGATIVE_INFINITY, 0] }, options, deps);
}

/** In (-inf, inf), in nats a token. The prior is in `trace`. Throws GVU_REWARD_REPRESENTATION. */
export function gvuPmi(options: GvuPmiOptions, deps: Deps): Reward {
  const range = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
  return selfReward({ name: 'gvu-pmi', form: 'pmi', range }, options, deps);
}

interface SelfReward {
  readonly name: string;
  readonly form: LikelihoodForm;
  readonly range: Reward['range'];
}

/** Prompts whose prior is kept: more than a batch has, and some MB at most. */
const keptPriors = 10_000;

function selfReward({ name, form, range }: SelfReward, options: GvuOptions & { alpha?: number }, deps: Deps): Reward {
  const { teacher, instruction, alpha } = options;
  const reader = deps.reader(teacher);
  const representation = chooseRepresentation(reader, options.representation);
  const input = representation === 'emitted-tokens' ? 'tokens' : 'pixels';
  const [low, high] = range;
  const kept = priorCache(keptPriors);

  const request = (image: ReadRequest['image'], text: string): ReadRequest => ({
    image,
    text,
    ...(instruction !== undefined && { instruction }),
  });
  const shown = (rollout: Rollout, row: number): ReadRequest['image'] => {
    const at = { reward: name, row };
    return input === 'tokens'
      ? { tokens: rolloutInput(rollout, input, at) }
      : { pixels: rolloutInput(rollout, input, at) };
  };

  return {
    name,
    version: describeVersion({ teacher, representation, instruction, alpha }),
    inputs: [input],
    range,
    deterministic: teacher === 'frozen',
    async score(rollouts, { signal }): Promise<RewardScores> {
      const judge = { kind: reader.kind, version: reader.version(), representation };
      const priors = new Map(
        form === 'pmi' ? rollouts.map(({ prompt }) => [prompt, kept.get(prompt, judge.version)]) : [],
      );
      const unknown = [...priors.keys()].filter((prompt) => priors.get(prompt) === undefined);
      const traces = await readAll(
        reader,
        [
          ...rollouts.map((rollout, row) => request(shown(rollout, row), rollout.prompt)),
          ...unknown.map((prompt) => request({ none: true }, prompt)),
        ],
        signal,
      );
      for (const [i, { logProbs }] of traces.slice(rollouts.length).entries()) {
        const prompt = unknown[i] ?? '';
        priors.set(prompt, logProbs);
        kept.set(prompt, judge.version, logProbs);
      }

      const perToken = traces.slice(0, rollouts.length);
      const priorOf = (row: number) => priors.get(rollouts[row]?.prompt ?? '') ?? [];
      const values = perToken.map(({ logProbs }, row) => {
        const value =
          form === 'pmi'
            ? promptLikelihood(logProbs, { form, prior: priorOf(row), ...(alpha !== undefined && { alpha }) })
            : promptLikelihood(logProbs, { form });
        // Rounding in the softmax may leave the average token a little above probability 1.
        return Math.min(Math.max(value, low), high);
      });
      if (form !== 'pmi') return { values, perToken, teacher: judge };
      // JSON has no -Infinity.
      const trace = perToken.map((_, row) => ({
        priorLogProbs: priorOf(row).map((logProb) => (Number.isFinite(logProb) ? logProb : null)),
      }));
      return { values, perToken, trace, teacher: judge };
    },
  };
}

/** What the judge is shown. Throws GVU_REWARD_REPRESENTATION. */
export function chooseRepresentation(
  { representations }: Pick<Reader, 'representations'>,
  asked: Representation | undefined,
): Representation {
  const chosen = asked ?? representations[0];
  if (chosen !== undefined && representations.includes(chosen)) return chosen;
  throw rewardErrors.error(
    'GVU_REWARD_REPRESENTATION',
    `The judge cannot read ${asked ?? 'images'}; it reads ${representations.join(', ') || 'none'}.`,
    { hint: "Set 'representation' to one of these, or leave it out.", details: { representations } },
  );
}

/** What the numbers depend on besides the weights of the judge, which `teacher` in the scores names. */
function describeVersion(facts: Readonly<Record<string, string | number | undefined>>): string {
  const stated = Object.entries(facts).filter(([, value]) => value !== undefined);
  return ['1', ...stated.map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join(' ');
}

/** All texts in one call, which the backend cuts into batches. Throws GVU_REWARD_LIKELIHOOD for an answer that is not about them. */
export async function readAll(
  reader: Reader,
  requests: readonly ReadRequest[],
  signal: AbortSignal,
): Promise<readonly PromptTrace[]> {
  if (requests.length === 0) return [];
  const traces = await reader.read(requests, { signal });
  const unlike = (what: string) =>
    rewardErrors.error('GVU_REWARD_LIKELIHOOD', `The judge gave ${what}.`, { hint: 'This is a fault of the backend.' });
  if (traces.length !== requests.length) throw unlike(`${traces.length} answers to ${requests.length} questions`);
  for (const { tokens, logProbs } of traces)
    if (tokens.length !== logProbs.length)
      throw unlike(`${logProbs.length} log-probabilities for ${tokens.length} tokens`);
  return traces;
}
