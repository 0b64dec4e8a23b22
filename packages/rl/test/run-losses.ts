/** Losses of algorithms with their gradients and metrics, as numbers. */
import { gradients, output } from '@gvu/onnx';
import type { Algorithm, PolicyBatch } from '../src/algorithm.ts';
import { type Declare, evaluate, float64, type Precision } from './evaluate.ts';

type Rows = readonly (readonly number[])[];

/** The numbers of a `PolicyBatch`; the mask is of 1 and 0. */
export interface BatchValues extends Pick<PolicyBatch, 'microBatches' | 'maxLength'> {
  readonly logp: Rows;
  readonly mask: Rows;
  readonly advantages: readonly number[];
  readonly oldLogp?: Rows | undefined;
  readonly refLogp?: Rows | undefined;
  readonly entropy?: Rows | undefined;
  readonly embeddings?: { readonly values: readonly Rows[]; readonly groupSize: number };
  readonly globalTokens?: number | undefined;
}

export interface LossCase {
  readonly algorithm: Algorithm;
  readonly batch: BatchValues;
}

export interface LossResult {
  readonly loss: number;
  /** With respect to the log-probabilities: [B * T]. */
  readonly gradient: readonly number[];
  /** With respect to the entropies, if there are any: [B * T]. */
  readonly entropyGradient: readonly number[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** The tensors of a batch but those that the policy computes. */
export function declareBatch(
  declare: Declare,
  name: string,
  batch: Omit<BatchValues, 'logp' | 'entropy'>,
): Omit<PolicyBatch, 'logp' | 'entropy'> {
  const optional = (key: string, values: Rows | number | undefined) =>
    values === undefined ? undefined : declare(`${name}.${key}`, values);
  return {
    ...batch,
    mask: declare(`${name}.mask`, batch.mask, 'bool'),
    advantages: declare(`${name}.advantages`, batch.advantages),
    oldLogp: optional('oldLogp', batch.oldLogp),
    refLogp: optional('refLogp', batch.refLogp),
    globalTokens: optional('globalTokens', batch.globalTokens),
    embeddings: batch.embeddings && {
      values: declare(`${name}.embeddings`, batch.embeddings.values),
      groupSize: batch.embeddings.groupSize,
    },
  };
}

/** The losses of all cases, in one run of one program. */
export async function runLosses(
  cases: readonly LossCase[],
  precision: Precision = float64,
): Promise<readonly LossResult[]> {
  const names = cases.map(() => new Set<string>());
  const results = await evaluate((declare) => {
    for (const [i, { algorithm, batch }] of cases.entries()) {
      const logp = declare(`${i}.logp`, batch.logp);
      const entropy = batch.entropy && declare(`${i}.entropy`, batch.entropy);
      const { loss, metrics } = algorithm.loss({ ...declareBatch(declare, `${i}`, batch), logp, entropy });
      const [gradient, entropyGradient] = gradients(loss, entropy ? [logp, entropy] : [logp]);
      output(`${i}.loss`, loss);
      if (gradient) output(`${i}.gradient`, gradient);
      if (entropyGradient) output(`${i}.entropyGradient`, entropyGradient);
      for (const [name, { value }] of Object.entries(metrics)) {
        names[i]?.add(name);
        output(`${i}.metrics.${name}`, value);
      }
    }
  }, precision);
  return names.map((metrics, i) => ({
    loss: results[`${i}.loss`]?.[0] ?? Number.NaN,
    gradient: results[`${i}.gradient`] ?? [],
    entropyGradient: results[`${i}.entropyGradient`] ?? [],
    metrics: Object.fromEntries([...metrics].map((name) => [name, results[`${i}.metrics.${name}`]?.[0] ?? Number.NaN])),
  }));
}

/** The loss of one algorithm. */
export async function runLoss(algorithm: Algorithm, batch: BatchValues, precision?: Precision): Promise<LossResult> {
  const [result] = await runLosses([{ algorithm, batch }], precision);
  if (!result) throw new Error('unreachable');
  return result;
}
