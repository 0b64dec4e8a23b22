/** An algorithm's loss of given log-probabilities, with its gradient and its metrics, as numbers. */
import {
  compile,
  constant,
  createGraph,
  gradients,
  input,
  output,
  type Runtime,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import type { Algorithm, PolicyBatch } from '@gvu/rl';

type Rows = readonly (readonly number[])[];

/** Of B rollouts of T decisions. */
export interface LossInputs {
  readonly logp: Rows;
  /** 1 where a decision counts. */
  readonly mask: Rows;
  readonly advantages: readonly number[];
  /** Absent = on policy. */
  readonly oldLogp?: Rows;
}

export interface LossValues {
  readonly loss: number;
  /** With respect to the log-probabilities: [B * T]. */
  readonly gradient: readonly number[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** Rollouts of a group, where the loss looks at embeddings. */
const groupSize = 2;

/** In float64, or in float32 as in training. The reference is the policy itself; entropies and embeddings are fixed. */
export async function lossOf(
  runtime: Runtime,
  { algorithm, inputs, dtype = 'float64' }: { algorithm: Algorithm; inputs: LossInputs; dtype?: 'float64' | 'float32' },
): Promise<LossValues> {
  const graph = createGraph({ name: 'loss', target: dtype === 'float64' ? 'reference' : 'cpu' });
  const feeds: Record<string, TensorData> = {};
  const declare = (name: string, rows: Rows) => {
    const shape = [rows.length, rows[0]?.length ?? 0];
    feeds[name] = tensorData(dtype, shape, rows.flat());
    return input(graph, name, { dtype, shape });
  };
  const { logp: values, mask, advantages, oldLogp } = inputs;
  const logp = declare('logp', values);
  const [rows, length] = [values.length, values[0]?.length ?? 0];
  const needs = (name: (typeof algorithm.needs.loss)[number]) => algorithm.needs.loss.includes(name);
  const fixed = (count: number) => Array.from({ length: count }, (_, i) => 1 + Math.sin(3 * i));
  const batch: PolicyBatch = {
    logp,
    mask: constant(graph, 'bool', [rows, length], mask.flat().map(Boolean)),
    advantages: constant(graph, dtype, [advantages.length], advantages),
    oldLogp: oldLogp && declare('oldLogp', oldLogp),
    maxLength: Math.max(...mask.map((row) => row.lastIndexOf(1) + 1)),
    ...(needs('refLogp') && { refLogp: declare('refLogp', values) }),
    ...(needs('entropy') && { entropy: constant(graph, dtype, [rows, length], fixed(rows * length)) }),
    ...(needs('embeddings') && {
      embeddings: { values: constant(graph, dtype, [rows, length, 3], fixed(rows * length * 3)), groupSize },
    }),
    ...(needs('globalTokens') && {
      globalTokens: constant(graph, dtype, [], [mask.flat().reduce((sum, one) => sum + one, 0)]),
    }),
  };
  const { loss, metrics } = algorithm.loss(batch);
  output('loss', loss);
  for (const gradient of gradients(loss, [logp])) output('gradient', gradient);
  for (const [name, { value }] of Object.entries(metrics)) output(`metric ${name}`, value);
  await using session = await runtime.load(compile(graph));
  const found = await session.run(feeds);
  const numbers = (name: string) => {
    const tensor = found[name];
    return tensor ? toNumbers(tensor) : [];
  };
  const scalar = (name: string) => {
    const all = numbers(name);
    return all.length === 1 ? (all[0] ?? Number.NaN) : Number.NaN;
  };
  return {
    loss: scalar('loss'),
    gradient: numbers('gradient'),
    metrics: Object.fromEntries(Object.keys(metrics).map((name) => [name, scalar(`metric ${name}`)])),
  };
}
