/** The cases of the fixture `grpo-grads`: options of TRL under the reference's names, and the algorithm that each means here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors, readTensors, type TensorData, toNumbers } from '@gvu/onnx';
import type { Algorithm } from '../src/algorithm.ts';
import { cispo, cispoConfig } from '../src/algorithms/cispo.ts';
import { grpo, grpoConfig } from '../src/algorithms/grpo.ts';
import { sapo, sapoConfig } from '../src/algorithms/sapo.ts';
import { vespo, vespoConfig } from '../src/algorithms/vespo.ts';
import { fixture } from './fixtures.ts';
import type { BatchValues } from './run-losses.ts';

/** A row of cases.json: TRL's options under the reference's names. */
export interface Case {
  name: string;
  loss_type: string;
  level: 'token' | 'sequence';
  beta: number;
  eps_low: number;
  eps_high: number;
  delta?: number;
  on_policy?: boolean;
  temperature: number;
  accum?: number;
  bias_corrected_kl?: boolean;
  off_policy_threshold?: number;
  entropy_coef?: number;
  max_completion_length?: number;
  num_items_in_global_batch?: number;
  trl_metrics: Record<string, number>;
}

/** What TRL would be told by these options. */
export function algorithmOf(row: Case): Algorithm {
  const shared = {
    beta: row.beta,
    biasCorrectedKl: row.bias_corrected_kl ?? false,
    entropyCoefficient: row.entropy_coef ?? 0,
    ...(row.off_policy_threshold === undefined ? {} : { offPolicyThreshold: row.off_policy_threshold }),
  };
  const source = { source: row.name };
  const clip = {
    epsilon: row.eps_low,
    epsilonHigh: row.eps_high,
    ...(row.delta === undefined ? {} : { delta: row.delta }),
  };
  switch (row.loss_type) {
    case 'cispo':
      return cispo(cispoConfig.parse({ ...shared, ratio: row.level, maxRatio: row.eps_high }, source));
    case 'sapo':
      return sapo(sapoConfig.parse({ ...shared, ratio: row.level }, source));
    case 'vespo':
      return vespo(vespoConfig.parse(shared, source));
    default:
      return grpo(grpoConfig.parse({ ...shared, ...clip, ratio: row.level, reduction: row.loss_type }, source));
  }
}

export const folder = fixture('grpo-grads');
// The file is the fixture's own list of cases.
export const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { cases: Case[] };

/** What PyTorch computed. */
export interface Expected {
  readonly get: (key: string) => TensorData;
  readonly numbers: (key: string) => readonly number[];
  readonly rows: (key: string) => readonly (readonly number[])[];
  readonly has: (key: string) => boolean;
}

export async function readExpected(): Promise<Expected> {
  const tensors = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
  const get = (key: string): TensorData => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`the fixture lacks ${key}`);
    return tensor;
  };
  const numbers = (key: string) => toNumbers(get(key));
  return {
    get,
    numbers,
    rows(key) {
      const flat = numbers(key);
      const length = get(key).shape[1] ?? 1;
      return Array.from({ length: flat.length / length }, (_, b) => flat.slice(b * length, (b + 1) * length));
    },
    has: (key) => tensors.has(key),
  };
}

/** What a case is computed from besides its log-probabilities and entropies. */
export function circumstances(row: Case, { numbers, rows }: Expected): Omit<BatchValues, 'logp' | 'entropy'> {
  return {
    mask: rows('loss_mask'),
    advantages: numbers('advantages'),
    oldLogp: row.on_policy ? undefined : rows('old_logps'),
    refLogp: row.beta > 0 ? rows('ref_logps') : undefined,
    globalTokens: row.num_items_in_global_batch,
    microBatches: row.accum ?? 1,
    ...(row.max_completion_length === undefined ? {} : { maxLength: row.max_completion_length }),
  };
}
