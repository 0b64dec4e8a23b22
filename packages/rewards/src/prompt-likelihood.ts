/**
 * From the log-probabilities of a prompt's tokens, given the image, to a reward.
 *
 *   geometric-mean   exp((1/L) sum log p)         GvU, Eq. 5: the probability of an average token
 *   mean-log         (1/L) sum log p              SUDER, `gvu-log`: the same order, but of order 1 and not near 0
 *   pmi              mean-log - alpha × the same without the image: what the image adds; takes easy wording out
 *
 * In one group, where the prompt is one, `pmi` and `mean-log` differ by a constant: only between prompts do they disagree.
 * Everything is in log space. The released code multiplies probabilities, which in float64 is zero after some 240 tokens.
 */
import { rewardErrors } from './errors.ts';

export type LikelihoodForm = 'geometric-mean' | 'mean-log' | 'pmi';

export interface LikelihoodOptions {
  readonly form: LikelihoodForm;
  /** For `pmi`: log-probabilities of the same tokens with no image. */
  readonly prior?: readonly number[];
  /** For `pmi`: how much of the prior is taken off; 1 by default. */
  readonly alpha?: number;
}

/**
 * The reward of one image. NaN, that is unscorable, for an empty prompt and for one with a token of probability 0, which the
 * judge could not have said of any image. Throws GVU_REWARD_LIKELIHOOD for numbers that are no log-probabilities.
 */
export function promptLikelihood(logProbs: readonly number[], options: LikelihoodOptions): number {
  const { form, prior, alpha = 1 } = options;
  const likelihood = meanLogProb(logProbs, 'the prompt');
  switch (form) {
    case 'geometric-mean':
      return Math.exp(likelihood);
    case 'mean-log':
      return likelihood;
    case 'pmi': {
      if (prior?.length !== logProbs.length)
        throw rewardErrors.error(
          'GVU_REWARD_LIKELIHOOD',
          `${logProbs.length} tokens have ${prior?.length ?? 0} log-probabilities without the image.`,
          { hint: 'Score the same tokens twice: with the image and without.' },
        );
      return likelihood - alpha * meanLogProb(prior, 'the prompt without the image');
    }
  }
}

function meanLogProb(logProbs: readonly number[], of: string): number {
  // Rounding in a softmax leaves certain tokens a little above probability 1.
  const wrong = logProbs.findIndex((logProb) => !(logProb <= 1e-4));
  if (wrong >= 0)
    throw rewardErrors.error(
      'GVU_REWARD_LIKELIHOOD',
      `The log-probability of token ${wrong} of ${of} is ${logProbs[wrong]}.`,
      {
        hint: 'Log-probabilities are at most 0.',
      },
    );
  if (logProbs.length === 0 || logProbs.includes(Number.NEGATIVE_INFINITY)) return Number.NaN;
  return logProbs.reduce((sum, logProb) => sum + logProb, 0) / logProbs.length;
}
