/**
 * The graphs of a decoder on CUDA: `compile` refuses a node without a kernel, so building them is the coverage test. What the
 * CPU provider has kernels for runs here too.
 */
import {
  adamw,
  cast,
  compile,
  constantData,
  createGraph,
  exactSampler,
  flatSize,
  flatten,
  type Graph,
  gatherElements,
  gradients,
  input,
  logSoftmax,
  loraLayout,
  mean,
  neg,
  output,
  Runtime,
  reshape,
  type Tensor,
  tensorData,
  toNumbers,
  unflatten,
  weight,
} from '@gvu/onnx';
import { describe, expect, it } from 'vitest';
import { decoderConfig } from '../src/decoder/config.ts';
import { type ComputeDType, createDecoder } from '../src/decoder/decoder.ts';
import { decoderModules } from '../src/decoder/parameters.ts';
import { rollout, sequenceLogits } from '../src/decoder/rollout.ts';
import { createModules } from '../src/modules.ts';

const config = decoderConfig({
  model_type: 'qwen3',
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  vocab_size: 40,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
});
const lora = { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj', 'down_proj', 'embed_tokens'] };
const layout = loraLayout(decoderModules(config), lora);
const LENGTH = 6;

/** A decoder with an adapter, which is trained in float32 whatever the decoder computes in. */
function adapted(graph: Graph, dtype: ComputeDType) {
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  const tensors = new Map([...unflatten(flat, layout)].map(([name, tensor]) => [name, cast(tensor, dtype)]));
  const fixed = (name: string, shape: readonly number[]): Tensor => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const values = Array.from({ length: size }, (_, i) => (shape.length === 1 ? 1 : Math.sin(i + name.length) / 6));
    return weight(graph, name, tensorData(dtype, shape, values));
  };
  const modules = createModules(graph, fixed, { tensors, scale: lora.alpha / lora.rank });
  return { flat, decoder: createDecoder(modules, config, { positions: 32, dtype, checkpointing: true }) };
}

function tokens(graph: Graph) {
  const ids = (name: string) => input(graph, name, { dtype: 'int64', shape: [2, LENGTH] });
  return { ids: ids('ids'), positions: ids('positions'), real: ids('real') };
}

function trainingStep(dtype: ComputeDType): Graph {
  const graph = createGraph({ name: `train ${dtype}`, target: 'cuda' });
  const { flat, decoder } = adapted(graph, dtype);
  const batch = tokens(graph);
  const targets = reshape(input(graph, 'targets', { dtype: 'int64', shape: [2, LENGTH] }), [-1, 1]);
  const loss = neg(mean(gatherElements(logSoftmax(sequenceLogits(decoder, batch)), targets, 1)));
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: flat.shape });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const updated = adamw(
    {
      parameters: flat,
      gradient: flatten(gradients(loss, [flat])),
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
      learningRate: scalar('learningRate'),
      correction1: scalar('correction1'),
      correction2: scalar('correction2'),
    },
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  );
  output('loss', loss);
  for (const [name, tensor] of Object.entries(updated)) output(`new ${name}`, tensor);
  return graph;
}

function generation(dtype: ComputeDType): Graph {
  const graph = createGraph({ name: `generate ${dtype}`, target: 'cuda' });
  const { decoder } = adapted(graph, dtype);
  const generated = rollout(decoder, tokens(graph), {
    steps: 5,
    sampler: { ...exactSampler, topK: 8, topP: 0.9, minP: 0.01 },
    guidance: { scale: 3, formula: 'u + w(c - u)' },
    uniform: constantData(graph, tensorData('float32', [5, 1, 1], [0.1, 0.3, 0.5, 0.7, 0.9])),
  });
  for (const [name, tensor] of Object.entries(generated)) output(name, tensor);
  return graph;
}

describe.each(['float32', 'float16'] as const)('a decoder in %s on CUDA', (dtype) => {
  it('has a kernel for every node of a LoRA step and of a guided rollout', () => {
    expect(compile(trainingStep(dtype)).model.byteLength).toBeGreaterThan(0);
    expect(compile(generation(dtype)).model.byteLength).toBeGreaterThan(0);
  });
});

it('computes in half precision what it computes in single, up to its digits', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const row = [1, 5, 9, 13, 17, 21];
  const int = (values: readonly number[]) => tensorData('int64', [2, LENGTH], [...values, ...values]);
  const zeros = { dtype: 'float32', shape: [flatSize(layout)], data: new Float32Array(flatSize(layout)) } as const;
  const scalar = tensorData('float32', [], [0.1]);
  const losses: number[] = [];
  for (const dtype of ['float32', 'float16'] as const) {
    await using session = await runtime.load(compile(trainingStep(dtype)), { use: 'training' });
    const { loss } = await session.run({
      ids: int(row),
      positions: int([0, 1, 2, 3, 4, 5]),
      real: int([1, 1, 1, 1, 1, 1]),
      targets: int([5, 9, 13, 17, 21, 2]),
      adapter: zeros,
      firstMoment: zeros,
      secondMoment: zeros,
      learningRate: scalar,
      correction1: scalar,
      correction2: scalar,
    });
    losses.push(...(loss ? toNumbers(loss) : []));
  }
  const [single = Number.NaN, half = Number.NaN] = losses;
  expect(single).toBeGreaterThan(1);
  expect(Math.abs(half - single)).toBeLessThan(5e-3);
});
