/**
 * Losses and their gradients with respect to the log-probabilities against PyTorch (and, when the references were made, against TRL's
 * own loss): on the CPU, in the operators of CUDA, and in float64.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors, readTensors, type TensorData, toNumbers } from '@gvu/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Algorithm } from '../src/algorithm.ts';
import { cispo, cispoConfig } from '../src/algorithms/cispo.ts';
import { grpo, grpoConfig } from '../src/algorithms/grpo.ts';
import { sapo, sapoConfig } from '../src/algorithms/sapo.ts';
import { vespo, vespoConfig } from '../src/algorithms/vespo.ts';
import { type Precision, useSharedRuntime } from './evaluate.ts';
import { fixture } from './fixtures.ts';
import { type BatchValues, type LossResult, runLosses } from './run-losses.ts';

/** A row of cases.json: TRL's options under the reference's names. */
interface Case {
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

function algorithmOf(row: Case): Algorithm {
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

/** TRL's names of the metrics that have a counterpart here. */
const metricNames: Readonly<Record<string, string>> = {
  kl: 'kl',
  'clip_ratio/low_mean': 'clip/low',
  'clip_ratio/high_mean': 'clip/high',
  'clip_ratio/region_mean': 'clip/region',
  cispo_clip_ratio: 'clip/high',
  'vespo/phi_seq_mean': 'vespo/weight',
};

const folder = fixture('grpo-grads');
// The file is the fixture's own list of cases.
const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { cases: Case[] };

useSharedRuntime();

const precisions: readonly Precision[] = [
  { target: 'cpu', dtype: 'float32' },
  { target: 'cuda', dtype: 'float32' },
  { target: 'reference', dtype: 'float64' },
];

describe.each(precisions)('losses agree with PyTorch on $target in $dtype', (precision) => {
  let expected: ReadonlyMap<string, TensorData>;
  let found: ReadonlyMap<string, LossResult>;
  const numbers = (key: string): number[] => {
    const tensor = expected.get(key);
    if (!tensor) throw new Error(`the fixture lacks ${key}`);
    return toNumbers(tensor);
  };
  const rows = (key: string): number[][] => {
    const length = expected.get(key)?.shape[1] ?? 1;
    const flat = numbers(key);
    return Array.from({ length: flat.length / length }, (_, b) => flat.slice(b * length, (b + 1) * length));
  };
  const batchOf = (row: Case): BatchValues => ({
    logp: rows(expected.has(`case.${row.name}.logps`) ? `case.${row.name}.logps` : 'logps'),
    mask: rows('loss_mask'),
    advantages: numbers('advantages'),
    oldLogp: row.on_policy ? undefined : rows('old_logps'),
    refLogp: row.beta > 0 ? rows('ref_logps') : undefined,
    entropy: rows('entropy'),
    globalTokens: row.num_items_in_global_batch,
    microBatches: row.accum ?? 1,
    ...(row.max_completion_length === undefined ? {} : { maxLength: row.max_completion_length }),
  });
  beforeAll(async () => {
    expected = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
    const results = await runLosses(
      cases.map((row) => ({ algorithm: algorithmOf(row), batch: batchOf(row) })),
      precision,
    );
    found = new Map(results.map((result, i) => [cases[i]?.name ?? '', result]));
  });

  it.each(cases)('$name', (row) => {
    const result = found.get(row.name);
    if (!result) throw new Error(`${row.name} was not run`);
    const furthest = (values: readonly number[], references: readonly number[]) => {
      expect(values).toHaveLength(references.length);
      return Math.max(...values.map((value, i) => Math.abs(value - (references[i] ?? Number.NaN))));
    };
    expect(furthest([result.loss], numbers(`case.${row.name}.loss`))).toBeLessThan(1e-5);
    expect(furthest(result.gradient, numbers(`case.${row.name}.d_logps`))).toBeLessThan(1e-6);
    for (const [name, value] of Object.entries(row.trl_metrics)) {
      const ours = metricNames[name];
      if (ours) expect(result.metrics[ours], name).toBeCloseTo(value, 5);
    }
    // The bonus reaches the entropy of every decision that counts, and of no other.
    const active = numbers('loss_mask');
    const share = -(row.entropy_coef ?? 0) / active.reduce((sum, one) => sum + one, 0) / (row.accum ?? 1);
    expect(
      furthest(
        result.entropyGradient,
        active.map((one) => one * share),
      ),
    ).toBeLessThan(1e-8);
  });
});
