/** Whether the tensors of a micro-batch fit together and are all there. Broadcasting would hide most mistakes in silence. */
import type { Tensor } from '@gvu/onnx';
import type { PolicyBatch, PolicyNeed } from './algorithm.ts';
import { rlErrors } from './errors.ts';

/** Throws GVU_RL_TENSORS, listing every problem. */
export function checkPolicyBatch(batch: PolicyBatch, needs: readonly PolicyNeed[]): void {
  const { logp, embeddings, microBatches = 1, maxLength = Number.POSITIVE_INFINITY } = batch;
  const [rows = 0, length = 0] = logp.shape;
  const problems = needs.filter((name) => batch[name] === undefined).map((name) => `'${name}' is missing`);
  const expect = (name: string, tensor: Tensor | undefined, type: { shape: readonly number[]; dtype?: string }) => {
    const { shape, dtype = logp.dtype } = type;
    if (!tensor || (tensor.dtype === dtype && tensor.shape.join() === shape.join())) return;
    problems.push(`'${name}' is ${tensor.dtype}[${tensor.shape.join(', ')}], not ${dtype}[${shape.join(', ')}]`);
  };
  if (logp.shape.length !== 2 || logp.shape.some((dim) => dim < 1))
    problems.push(`'logp' has shape [${logp.shape.join(', ')}], not [B, T]`);
  if (logp.dtype !== 'float32' && logp.dtype !== 'float64')
    problems.push(`'logp' is ${logp.dtype}, not float32 or float64`);
  expect('mask', batch.mask, { shape: logp.shape, dtype: 'bool' });
  expect('advantages', batch.advantages, { shape: [rows] });
  for (const name of ['oldLogp', 'refLogp', 'entropy'] as const) expect(name, batch[name], { shape: logp.shape });
  expect('globalTokens', batch.globalTokens, { shape: [] });
  if (embeddings) {
    const { values, groupSize } = embeddings;
    expect('embeddings', values, { shape: [rows, length, values.shape[2] ?? 0] });
    if (rows % groupSize !== 0) problems.push(`${rows} rows are no whole groups of ${groupSize}`);
  }
  if (!Number.isInteger(microBatches) || microBatches < 1) problems.push(`'microBatches' is ${microBatches}`);
  if (!(maxLength >= 1)) problems.push(`'maxLength' is ${maxLength}`);
  if (problems.length > 0)
    throw rlErrors.error('GVU_RL_TENSORS', `${problems.join('; ')}.`, {
      hint: 'B rollouts of T decisions need tensors of one floating-point type; what an algorithm reads is listed in its `needs`.',
      details: { problems },
    });
}
