/**
 * How the self-reward answers to single words: true images, each with its prompt, the same prompt with some words left out, and with those
 * words exchanged for false ones. Whoever knows a world provides them; here they are only read.
 */
import { contributionPoint } from '@gvu/core';
import type { Backend, Pixels } from '@gvu/models';
import { promptLikelihood } from '@gvu/rewards';

export interface Wording {
  /** What the words say: `count`, `color`, ... */
  readonly kind: string;
  /** An image of which `full` is true and `replaced` is not. */
  readonly pixels: Pixels;
  readonly full: string;
  /** Without the words. */
  readonly removed: string;
  /** With other words in their place. */
  readonly replaced: string;
}

export interface Wordings {
  readonly name: string;
  readonly version: string;
  /** `tests` of each kind; a pure function of the seed. */
  list(options: { readonly seed: number; readonly tests: number }): readonly Wording[];
}

export const wordings = contributionPoint<Wordings>({
  kind: 'wordings',
  description: 'True images with their prompts, and the same prompts with words left out or exchanged.',
});

/** One wording with the reward (GvU, Eq. 5) of its three texts. */
export interface ReadWording extends Omit<Wording, 'pixels'> {
  readonly rewards: { readonly full: number; readonly removed: number; readonly replaced: number };
}

/** Reads all texts, `part` wordings at a time. Rejects with what the backend rejects with. */
export async function readWordings(
  backend: Backend,
  list: readonly Wording[],
  { onProgress, signal }: { readonly onProgress?: (done: number) => void; readonly signal?: AbortSignal } = {},
): Promise<readonly ReadWording[]> {
  const part = 64;
  const found: ReadWording[] = [];
  for (let from = 0; from < list.length; from += part) {
    const some = list.slice(from, from + part);
    const requests = some.flatMap(({ pixels, full, removed, replaced }) =>
      [full, removed, replaced].map((text) => ({ image: { pixels }, text })),
    );
    const traces = await backend.read(requests, { signal });
    const rewards = traces.map(({ logProbs }) => promptLikelihood(logProbs, { form: 'geometric-mean' }));
    for (const [i, { pixels: _, ...wording }] of some.entries()) {
      const [full = Number.NaN, removed = Number.NaN, replaced = Number.NaN] = rewards.slice(3 * i, 3 * i + 3);
      found.push({ ...wording, rewards: { full, removed, replaced } });
    }
    onProgress?.(found.length);
  }
  return found;
}
