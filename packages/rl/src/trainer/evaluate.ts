/**
 * What a model can do with held-out prompts: always the same prompts with the same randomness, so that two evaluations differ by the
 * model alone and can be compared pair by pair.
 */
import { randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, Drawing, Pixels } from '@gvu/models';
import { type Reader, type RewardEntry, scoreRollouts } from '@gvu/rewards';
import type { Prompt, PromptSource } from '../prompts.ts';
import type { RunConfig } from '../run/config.ts';
import type { EvaluationEvent } from '../run/events.ts';
import { correlation, mean } from '../statistics.ts';
import { diversity, pictureStatistics } from './picture-statistics.ts';

export interface EvaluateOptions {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly source: PromptSource;
  readonly judges: readonly RewardEntry[];
  readonly adapter: ActiveAdapter | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EvaluatedImage {
  readonly prompt: Prompt;
  readonly sample: number;
  readonly drawing: Drawing;
  readonly pixels: Pixels;
  readonly rewards: Readonly<Record<string, number | null>>;
}

/** Drawings of one run of the backend; a multiple of usual batch sizes. */
const chunk = 128;

export async function drawHeldOut(options: EvaluateOptions): Promise<readonly EvaluatedImage[]> {
  const { config, backend, source, judges, adapter, signal } = options;
  const { seed, perTag, drawings: perPrompt } = config.evaluation;
  const [drawing, decoding] = [randomStream(seed, 'rl/evaluate/draw'), randomStream(seed, 'rl/evaluate/decode')];
  const wanted = source
    .heldOut({ seed, perTag })
    .flatMap((prompt, index) => Array.from({ length: perPrompt }, (_, sample) => ({ prompt, index, sample })));
  const images: EvaluatedImage[] = [];
  for (let from = 0; from < wanted.length; from += chunk) {
    const part = wanted.slice(from, from + chunk);
    const requests = part.map(({ prompt, index, sample }) => ({
      prompt: prompt.prompt,
      randomness: drawing.at(index, sample),
    }));
    const drawn = await backend.draw(requests, { adapter, signal });
    const pictures = await backend.decode(
      drawn.map(({ tokens, prompt }, row) => ({
        tokens,
        prompt,
        randomness: decoding.at(part[row]?.index ?? 0, part[row]?.sample ?? 0),
      })),
      { signal },
    );
    const rollouts = part.flatMap(({ prompt, index, sample }, row) => {
      const [tokens, pixels] = [drawn[row]?.tokens, pictures[row]];
      if (!tokens || !pixels) return [];
      const { metadata } = prompt;
      const address = { step: 0, prompt: index, sample };
      return [{ prompt: prompt.prompt, address, tokens, pixels, ...(metadata !== undefined && { metadata }) }];
    });
    const scores = await scoreRollouts(judges, rollouts, signal ? { signal } : {});
    part.forEach(({ prompt, sample }, row) => {
      const [drawing, pixels] = [drawn[row], pictures[row]];
      if (!drawing || !pixels) return;
      const rewards = Object.fromEntries(scores.map(({ name, values }) => [name, finite(values[row])]));
      images.push({ prompt, sample, drawing, pixels, rewards });
    });
  }
  return images;
}

/** Means by tag and over the tags, as GenEval takes its overall score. */
export function summarise(
  images: readonly EvaluatedImage[],
  names: readonly string[],
): Pick<EvaluationEvent, 'overall' | 'byTag'> {
  const tags = [...new Set(images.map(({ prompt }) => prompt.tag ?? ''))];
  const byTag = Object.fromEntries(
    tags.map((tag) => {
      const own = images.filter(({ prompt }) => (prompt.tag ?? '') === tag);
      return [
        tag,
        { n: own.length, mean: means(names, (name) => own.map(({ rewards }) => rewards[name] ?? Number.NaN)) },
      ];
    }),
  );
  const overall = means(names, (name) => Object.values(byTag).map((entry) => entry.mean[name] ?? Number.NaN));
  return { overall, byTag };
}

/**
 * What shows whether a policy exploits its judges: how its pictures look, how different those of a prompt are (NaN for one each), and how
 * well each further reward goes with the score (Pearson's correlation over drawings).
 */
export function signsOf(images: readonly EvaluatedImage[], names: readonly string[]): Record<string, number> {
  const looks = images.map(({ pixels }) => pictureStatistics(pixels));
  const byPrompt = new Map<Prompt, Pixels[]>();
  for (const { prompt, pixels } of images) byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), pixels]);
  const values = (name: string) => images.map(({ rewards }) => rewards[name] ?? Number.NaN);
  const [score = '', ...others] = names;
  return {
    saturation: mean(looks.map(({ saturation }) => saturation)),
    brightness: mean(looks.map(({ brightness }) => brightness)),
    sharpness: mean(looks.map(({ sharpness }) => sharpness)),
    diversity: diversity([...byPrompt.values()]),
    ...Object.fromEntries(others.map((name) => [`correlation/${name}`, correlation(values(name), values(score))])),
  };
}

function means(names: readonly string[], values: (name: string) => readonly number[]): Record<string, number | null> {
  return Object.fromEntries(names.map((name) => [name, finite(mean(values(name)))]));
}

export function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** What a teacher that may change gives a fixed set of drawings for their own prompts and for others', as mean log-probabilities. */
export interface JudgeCheck {
  readonly right: number;
  readonly wrong: number;
  readonly n: number;
}

const fixedDrawings = 48;

/** Drawings of the model before training, which a changing teacher is checked on. */
export async function fixedSet({
  config,
  backend,
  source,
  signal,
}: Omit<EvaluateOptions, 'adapter' | 'judges'>): Promise<readonly Drawing[]> {
  const stream = randomStream(config.seed, 'rl/judge-check');
  const requests = Array.from({ length: fixedDrawings }, (_, i) => ({
    prompt: source.train(stream.at(i, 0)).prompt,
    randomness: stream.at(i, 1),
  }));
  return await backend.draw(requests, { signal });
}

/** Reads the fixed drawings against their own prompts, and against the next one's. Needs a reader that takes emitted tokens. */
export async function checkJudge(
  reader: Reader,
  drawings: readonly Drawing[],
  signal: AbortSignal,
): Promise<JudgeCheck> {
  const read = async (shift: number) => {
    const requests = drawings.map(({ tokens }, i) => ({
      image: { tokens },
      text: drawings[(i + shift) % drawings.length]?.prompt ?? '',
    }));
    const traces = await reader.read(requests, { signal });
    return mean(traces.map(({ logProbs }) => mean(logProbs)));
  };
  return { right: await read(0), wrong: await read(1), n: drawings.length };
}
