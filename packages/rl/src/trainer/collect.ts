/**
 * The first half of a step: prompts, drawings, pictures, rewards, advantages. Everything random is a function of (seed, step, prompt,
 * drawing), so a step can be done again anywhere with the same result.
 */
import { randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, Drawing, Pixels } from '@gvu/models';
import { type RewardEntry, type Rollout, type ScoredReward, scoreRollouts } from '@gvu/rewards';
import type { Prompt, PromptSource } from '../prompts.ts';
import type { RunConfig } from '../run/config.ts';
import type { PhaseClock, PhaseTime } from './clocks.ts';

/** A step's drawings: those of a prompt are adjacent. */
export interface Collected {
  /** [B], each repeated for its group. */
  readonly prompts: readonly Prompt[];
  readonly drawings: readonly Drawing[];
  /** Of the drawings that a reward looks at or that are recorded. */
  readonly pictures: readonly (Pixels | undefined)[];
  readonly scores: readonly ScoredReward[];
  readonly times: Readonly<Record<'draw' | 'decode' | 'score', PhaseTime>>;
}

export interface CollectOptions {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly source: PromptSource;
  readonly rewards: readonly RewardEntry[];
  readonly adapter: ActiveAdapter;
  /** From 0. */
  readonly step: number;
  readonly clock: PhaseClock;
}

export async function collect(options: CollectOptions): Promise<Collected> {
  const { config, backend, source, rewards, adapter, step, clock } = options;
  const { seed, promptsPerStep, groupSize } = config;
  const [drawing, decoding] = [randomStream(seed, 'rl/draw'), randomStream(seed, 'rl/decode')];
  const places = Array.from({ length: promptsPerStep * groupSize }, (_, row) => ({
    group: Math.floor(row / groupSize),
    sample: row % groupSize,
  }));
  const chosen = Array.from({ length: promptsPerStep }, (_, group) => trainingPrompt(source, config, { step, group }));
  const prompts = chosen.flatMap((prompt) => Array.from({ length: groupSize }, () => prompt));

  const requests = places.map(({ group, sample }, row) => ({
    prompt: prompts[row]?.prompt ?? '',
    randomness: drawing.at(step, group, sample),
  }));
  const drawings = await backend.draw(requests, { adapter, sampler: config.sampler });
  const draw = clock();

  const pictured = rewards.some(({ reward }) => reward.inputs.includes('pixels'))
    ? places.length
    : Math.min(config.record.groups, promptsPerStep) * groupSize;
  const pictures = await backend.decode(
    drawings.slice(0, pictured).map(({ tokens, prompt }, row) => ({
      tokens,
      prompt,
      randomness: decoding.at(step, places[row]?.group ?? 0, places[row]?.sample ?? 0),
    })),
  );
  const decode = clock();

  const rollouts = drawings.map(({ prompt, tokens }, row): Rollout => {
    const { metadata } = prompts[row] ?? {};
    const pixels = pictures[row];
    const { group = 0, sample = 0 } = places[row] ?? {};
    return {
      prompt,
      address: { step, prompt: group, sample },
      tokens,
      ...(metadata !== undefined && { metadata }),
      ...(pixels && { pixels }),
    };
  });
  const scores = await scoreRollouts(rewards, rollouts);
  return { prompts, drawings, pictures, scores, times: { draw, decode, score: clock() } };
}

/** Which prompt the drawings of a group are made for; steps and groups from 0. */
export function trainingPrompt(
  source: PromptSource,
  { seed }: Pick<RunConfig, 'seed'>,
  { step, group }: { readonly step: number; readonly group: number },
): Prompt {
  return source.train(randomStream(seed, 'rl/prompt').at(step, group));
}
