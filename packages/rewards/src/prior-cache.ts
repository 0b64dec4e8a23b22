/**
 * How probable prompts are without any image, kept so that each is asked for once: a prompt comes back with every rollout of its group,
 * and with every visit of training. Only what one state of the judge said is kept, and only of the prompts used last.
 */

export interface PriorCache {
  /** The prior of a prompt by this version of the judge, if it is still known. */
  get(prompt: string, version: string): readonly number[] | undefined;
  /** Keeps a prior; what another version said is forgotten. */
  set(prompt: string, version: string, prior: readonly number[]): void;
}

/** `limit`: prompts that are kept at most. */
export function priorCache(limit: number): PriorCache {
  // A Map keeps the order of insertion: the first key is the one that was used longest ago.
  const priors = new Map<string, readonly number[]>();
  let current: string | undefined;
  const touch = (prompt: string, prior: readonly number[]) => {
    priors.delete(prompt);
    priors.set(prompt, prior);
  };
  return {
    get(prompt, version) {
      const prior = version === current ? priors.get(prompt) : undefined;
      if (prior) touch(prompt, prior);
      return prior;
    },
    set(prompt, version, prior) {
      if (version !== current) priors.clear();
      current = version;
      touch(prompt, prior);
      const [oldest] = priors.keys();
      if (priors.size > limit && oldest !== undefined) priors.delete(oldest);
    },
  };
}
