/**
 * The smallest task that can be learnt: a policy of one softmax over a few arms, one of which is paid for. What it becomes under an
 * algorithm shows that advantages and loss work together; nothing else is in the way.
 */
import { fillUniform, randomStream } from '@gvu/core';
import {
  compile,
  constant,
  constantData,
  createGraph,
  entropy,
  expand,
  gather,
  gradients,
  input,
  output,
  type Runtime,
  reshape,
  tensorData,
  tokenLogProb,
  toNumbers,
} from '@gvu/onnx';
import type { Algorithm } from '@gvu/rl';

const arms = 4;
const paid = 2;
const groupSize = 8;
const decisions = 2;
/** Length of each step in the space of logits, whatever the scale of the loss. */
const stepLength = 0.15;

/** The probability of the paid arm after so many steps; it is 1/4 before. */
export async function learnBandit(
  { runtime, algorithm }: { runtime: Runtime; algorithm: Algorithm },
  { steps }: { steps: number },
): Promise<number> {
  await using session = await runtime.load(compile(banditGraph(algorithm)), { use: 'training' });
  const stream = randomStream(7, 'testing/bandit');
  const uniform = new Float32Array(groupSize * decisions);
  let logits: readonly number[] = Array.from({ length: arms }, () => 0);
  for (let step = 0; step < steps; step++) {
    const probabilities = softmax(logits);
    fillUniform(uniform, stream.at(step));
    const actions = Array.from(uniform, (u) => drawn(probabilities, u));
    const values = Array.from({ length: groupSize }, (_, row) => {
      const own = actions.slice(row * decisions, (row + 1) * decisions);
      return own.filter((arm) => arm === paid).length / decisions;
    });
    const zeros = values.map(() => 0);
    const { advantages } = algorithm.advantages({
      rewards: [{ name: 'paid', values }],
      groupSize,
      sequenceKl: zeros,
      entropy: zeros,
      refEntropy: zeros,
    });
    const { gradient } = await session.run<'gradient'>({
      logits: tensorData('float32', [1, arms], logits),
      actions: tensorData('int64', [groupSize * decisions], actions),
      advantages: tensorData('float32', [groupSize], advantages),
    });
    const slopes = toNumbers(gradient);
    const norm = Math.hypot(...slopes);
    if (norm > 0) logits = logits.map((value, arm) => value - (stepLength * (slopes[arm] ?? 0)) / norm);
  }
  return softmax(logits)[paid] ?? Number.NaN;
}

function banditGraph(algorithm: Algorithm) {
  const graph = createGraph({ name: 'bandit' });
  const logits = input(graph, 'logits', { dtype: 'float32', shape: [1, arms] });
  const actions = input(graph, 'actions', { dtype: 'int64', shape: [groupSize * decisions] });
  const advantages = input(graph, 'advantages', { dtype: 'float32', shape: [groupSize] });
  const table = expand(logits, [groupSize * decisions, arms]);
  const shape = [groupSize, decisions];
  const logp = reshape(tokenLogProb(table, actions), shape);
  const needs = (name: (typeof algorithm.needs.loss)[number]) => algorithm.needs.loss.includes(name);
  const uniformLogp = Array.from({ length: groupSize * decisions }, () => -Math.log(arms));
  const oneHot = { dtype: 'float32', shape: [arms, arms], data: identity(arms) } as const;
  const { loss } = algorithm.loss({
    logp,
    mask: expand(constant(graph, 'bool', [1, 1], [true]), shape),
    advantages,
    ...(needs('refLogp') && { refLogp: constant(graph, 'float32', shape, uniformLogp) }),
    ...(needs('entropy') && { entropy: reshape(entropy(table), shape) }),
    ...(needs('embeddings') && {
      embeddings: { values: reshape(gather(constantData(graph, oneHot), actions), [...shape, arms]), groupSize },
    }),
    ...(needs('globalTokens') && { globalTokens: constant(graph, 'float32', [], [groupSize * decisions]) }),
  });
  for (const gradient of gradients(loss, [logits])) output('gradient', gradient);
  return graph;
}

function softmax(logits: readonly number[]): readonly number[] {
  const powers = logits.map((value) => Math.exp(value - Math.max(...logits)));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** The arm at a place of the cumulated probabilities. */
function drawn(probabilities: readonly number[], uniform: number): number {
  let sum = 0;
  const arm = probabilities.findIndex((value) => {
    sum += value;
    return uniform < sum;
  });
  return arm < 0 ? probabilities.length - 1 : arm;
}

function identity(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
}
