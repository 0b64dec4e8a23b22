/**
 * The model and data of the benchmark, drawn from a seed and written as one safetensors file that every contender reads: a
 * Llama of about 5 M parameters, adapters on its seven linear layers, a batch of tokens, a prompt, and sampling noise.
 */
import { fillIntegers, fillNormal, fillUniform, randomStream } from '@gvu/core';
import { type DecoderConfig, decoderConfig, decoderModules, decoderParameters } from '@gvu/models';
import { type FlatEntry, loraLayout, sizeOf, type TensorData, tensorData, writeSafetensors } from '@gvu/onnx';

export const config: DecoderConfig = decoderConfig({
  model_type: 'llama',
  hidden_size: 256,
  num_hidden_layers: 6,
  num_attention_heads: 8,
  intermediate_size: 704,
  vocab_size: 1024,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
});
export const lora = {
  rank: 16,
  alpha: 32,
  targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
};
export const sizes = { batch: 32, length: 96, rows: 8, prompt: 24, steps: 64 };
export const sampler = { temperature: 0.9, topK: 50, topP: 1, minP: 0 };
export const optimiser = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01 };
export const learningRate = 1e-3;

export const parameterLayout = decoderParameters(config);
export const adapterLayout = loraLayout(decoderModules(config), lora);

const stream = randomStream(1, 'bench/engine');

/** Values of one tensor: ones for norms, else normal with the spread that keeps activations near one. */
function draw({ name, shape }: FlatEntry, index: number): TensorData {
  const values = new Float32Array(sizeOf(shape));
  if (shape.length === 1) return tensorData('float32', shape, values.fill(1));
  fillNormal(values, stream.at(index));
  const spread = name.includes('lora_B') ? 0.01 : name === 'lm_head.weight' ? 0.2 : 1 / Math.sqrt(shape[1] ?? 1);
  return { dtype: 'float32', shape, data: values.map((value) => value * spread) };
}

export interface Case {
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly adapter: ReadonlyMap<string, TensorData>;
  readonly data: Readonly<Record<'tokens' | 'targets' | 'prompt' | 'noise', TensorData>>;
}

export function createCase(): Case {
  const { batch, length, rows, prompt, steps } = sizes;
  const ids = new Int32Array(batch * (length + 1));
  fillIntegers(ids, stream.at(10_000), { low: 0, high: config.vocabulary });
  const part = (from: number) =>
    Array.from({ length: batch }, (_, row) => [
      ...ids.subarray(row * (length + 1) + from, row * (length + 1) + from + length),
    ]).flat();
  const noise = new Float32Array(steps * rows);
  fillUniform(noise, stream.at(10_001));
  return {
    parameters: new Map(parameterLayout.map((entry, i) => [entry.name, draw(entry, i)])),
    adapter: new Map(adapterLayout.map((entry, i) => [entry.name, draw(entry, 1000 + i)])),
    data: {
      tokens: tensorData('int64', [batch, length], part(0)),
      targets: tensorData('int64', [batch, length], part(1)),
      // One prompt for the whole group, as in GRPO.
      prompt: tensorData(
        'int64',
        [rows, prompt],
        Array.from({ length: rows }, () => [...ids.subarray(0, prompt)]).flat(),
      ),
      noise: { dtype: 'float32', shape: [steps, rows], data: noise },
    },
  };
}

/** Writes the case for the other contenders; the names are PEFT's and Hugging Face's. */
export async function writeCase(file: string, { parameters, adapter, data }: Case): Promise<void> {
  const tensors = new Map([...parameters, ...Object.entries(data)]);
  for (const [name, tensor] of adapter) tensors.set(`base_model.model.${name}`, tensor);
  await writeSafetensors(file, tensors, {
    num_attention_heads: String(config.heads),
    rms_norm_eps: String(config.epsilon),
    rope_theta: String(config.ropeTheta),
    lora_alpha: String(lora.alpha),
    temperature: String(sampler.temperature),
    top_k: String(sampler.topK),
  });
}
