/**
 * Losses and their gradients with respect to the log-probabilities against PyTorch (and, when the references were made, against TRL's
 * own loss): on the CPU, in the operators of CUDA, and in float64.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Precision, useSharedRuntime } from './evaluate.ts';
import { algorithmOf, cases, circumstances, type Expected, readExpected } from './grpo-cases.ts';
import { type LossResult, runLosses } from './run-losses.ts';

/** TRL's names of the metrics that have a counterpart here. */
const metricNames: Readonly<Record<string, string>> = {
  kl: 'kl',
  'clip_ratio/low_mean': 'clip/low',
  'clip_ratio/high_mean': 'clip/high',
  'clip_ratio/region_mean': 'clip/region',
  cispo_clip_ratio: 'clip/high',
  'vespo/phi_seq_mean': 'vespo/weight',
};

useSharedRuntime();

const precisions: readonly Precision[] = [
  { target: 'cpu', dtype: 'float32' },
  { target: 'cuda', dtype: 'float32' },
  { target: 'reference', dtype: 'float64' },
];

describe.each(precisions)('losses agree with PyTorch on $target in $dtype', (precision) => {
  let expected: Expected;
  let found: ReadonlyMap<string, LossResult>;
  beforeAll(async () => {
    expected = await readExpected();
    const { rows, has } = expected;
    const results = await runLosses(
      cases.map((row) => ({
        algorithm: algorithmOf(row),
        batch: {
          ...circumstances(row, expected),
          logp: rows(has(`case.${row.name}.logps`) ? `case.${row.name}.logps` : 'logps'),
          entropy: rows('entropy'),
        },
      })),
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
    expect(furthest([result.loss], expected.numbers(`case.${row.name}.loss`))).toBeLessThan(1e-5);
    expect(furthest(result.gradient, expected.numbers(`case.${row.name}.d_logps`))).toBeLessThan(1e-6);
    for (const [name, value] of Object.entries(row.trl_metrics)) {
      const ours = metricNames[name];
      if (ours) expect(result.metrics[ours], name).toBeCloseTo(value, 5);
    }
    // The bonus reaches the entropy of every decision that counts, and of no other.
    const active = expected.numbers('loss_mask');
    const share = -(row.entropy_coef ?? 0) / active.reduce((sum, one) => sum + one, 0) / (row.accum ?? 1);
    const shares = active.map((one) => one * share);
    expect(furthest(result.entropyGradient, shares)).toBeLessThan(1e-8);
  });
});
