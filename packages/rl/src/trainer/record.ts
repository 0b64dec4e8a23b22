/** What is kept of a step's drawings: an event for each of the first groups, with its picture as a blob. */
import type { EventLog, JsonValue } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import { encode } from 'fast-png';
import type { Advantages } from '../advantages.ts';
import type { RunConfig } from '../run/config.ts';
import type { RolloutEvent, RunEvents } from '../run/events.ts';
import { mean } from '../statistics.ts';
import type { Collected } from './collect.ts';
import { finite } from './evaluate.ts';

/** Appends an event; its data is JSON by construction. */
export function appendEvent<Type extends keyof RunEvents>(log: EventLog, type: Type, data: RunEvents[Type]): void {
  // The interfaces of events hold JSON only, which TypeScript cannot see of interfaces with optional keys.
  log.append(type, data as unknown as JsonValue);
}

export async function putImage(log: EventLog, { width, height, data }: Pixels): Promise<string> {
  return await log.putBlob(encode({ width, height, data, channels: 3, depth: 8 }), 'png');
}

export async function recordRollouts(
  log: EventLog,
  { prompts, drawings, pictures, scores }: Collected,
  options: {
    readonly step: number;
    readonly config: RunConfig;
    readonly advantages: Advantages;
    readonly sampler: RolloutEvent['sampler'];
  },
): Promise<void> {
  const { step, config, advantages, sampler } = options;
  const { groupSize, promptsPerStep, record, seed } = config;
  const rows = Array.from({ length: Math.min(record.groups, promptsPerStep) * groupSize }, (_, row) => row);
  const images = await Promise.all(rows.map((row) => (pictures[row] ? putImage(log, pictures[row]) : undefined)));
  const teacher = scores.find((score) => score.teacher)?.teacher ?? null;
  for (const row of rows) {
    const drawing = drawings[row];
    if (!drawing) continue;
    appendEvent(log, 'rollout', {
      step,
      group: Math.floor(row / groupSize),
      sample: row % groupSize,
      seed,
      prompt: drawing.prompt,
      tag: prompts[row]?.tag ?? null,
      reward: finite(advantages.rewards[row]),
      rewards: Object.fromEntries(scores.map(({ name, values }) => [name, finite(values[row])])),
      advantage: advantages.advantages[row] ?? 0,
      traces: Object.fromEntries(
        scores.flatMap(({ name, perToken }) => (perToken?.[row] ? [[name, perToken[row]] as const] : [])),
      ),
      teacher,
      sampler,
      logProb: mean([...drawing.logProbs]),
      image: images[row] ?? null,
    });
  }
}
