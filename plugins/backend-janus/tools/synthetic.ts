/**
 * A Janus checkpoint of any size with random weights, for measuring what the real ones cost: the sizes of the release in the layout of
 * transformers, bfloat16 in shards. It draws noise. Weights are normal with a standard deviation of 0.02, norms 1, biases 0.
 *
 * The tokenizer is a stand-in: one token for each byte, and the control tokens where the release has them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillNormal, randomStream } from '@gvu/core';
import { type FlatEntry, sizeOf, type TensorData, toBfloat16, writeSafetensors } from '@gvu/onnx';
import { janusConfig } from '../src/checkpoint/config.ts';
import { janusParameters } from '../src/checkpoint/open.ts';

const llama = {
  model_type: 'llama',
  vocab_size: 102_400,
  max_position_embeddings: 16_384,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
};

/** The sizes of the release. */
export const releases = {
  '1b': janusJson({
    ...llama,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    num_key_value_heads: 16,
  }),
  '7b': janusJson({
    ...llama,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 30,
    num_attention_heads: 32,
    num_key_value_heads: 32,
  }),
} as const;

function janusJson(text: Readonly<Record<string, unknown>>) {
  return {
    architectures: ['JanusForConditionalGeneration'],
    model_type: 'janus',
    image_token_id: 100_581,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    text_config: text,
    vision_config: { model_type: 'janus_vision_model' },
    vq_config: { model_type: 'janus_vqgan', num_patches: 24 },
  };
}

export interface SyntheticOptions {
  /** A `config.json` in the layout of transformers. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** Where the control tokens begin: behind all ids of bytes, and within the vocabulary. */
  readonly firstControlId: number;
  /** No shard becomes larger, unless one tensor alone is. */
  readonly shardBytes: number;
  /** Told of every shard that has been written. */
  readonly onShard?: (name: string, bytes: number) => void;
}

/** Writes the checkpoint into a directory, holding one shard in memory at a time. Gives the number of its weights. */
export async function writeSyntheticCheckpoint(folder: string, options: SyntheticOptions): Promise<number> {
  const { config, seed, shardBytes, onShard } = options;
  const { needed, encoder } = janusParameters(janusConfig(config));
  const shards = inShards([...needed, ...encoder], shardBytes);
  await mkdir(folder, { recursive: true });
  const weightMap: Record<string, string> = {};
  let count = 0;
  for (const [i, entries] of shards.entries()) {
    const name = `model-${padded(i + 1)}-of-${padded(shards.length)}.safetensors`;
    await writeSafetensors(
      join(folder, name),
      new Map(entries.map((entry) => [entry.name, randomTensor(entry, seed)])),
      {
        format: 'pt',
      },
    );
    for (const entry of entries) {
      weightMap[entry.name] = name;
      count += sizeOf(entry.shape);
    }
    onShard?.(name, bytesOf(entries));
  }
  const map = { metadata: { total_size: 2 * count }, weight_map: weightMap };
  await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(map)}\n`);
  await writeCheckpointFiles(folder, options);
  return count;
}

/** Everything of a checkpoint but its weights. */
export async function writeCheckpointFiles(
  folder: string,
  { config, firstControlId }: Pick<SyntheticOptions, 'config' | 'firstControlId'>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (file: string, json: unknown) => writeFile(join(folder, file), `${JSON.stringify(json)}\n`);
  await write('config.json', config);
  await write('preprocessor_config.json', {
    image_processor_type: 'JanusImageProcessor',
    min_size: 14,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  });
  await write('tokenizer.json', byteTokenizer(firstControlId));
  await write('tokenizer_config.json', { tokenizer_class: 'LlamaTokenizerFast', add_bos_token: true });
}

/** In the order of the model, each shard as full as it may be. */
function inShards(entries: readonly FlatEntry[], shardBytes: number): readonly (readonly FlatEntry[])[] {
  const shards: FlatEntry[][] = [];
  for (const entry of entries) {
    const last = shards.at(-1);
    if (last && bytesOf(last) + bytesOf([entry]) <= shardBytes) last.push(entry);
    else shards.push([entry]);
  }
  return shards;
}

function bytesOf(entries: readonly FlatEntry[]): number {
  return entries.reduce((sum, { shape }) => sum + 2 * sizeOf(shape), 0);
}

function padded(number: number): string {
  return String(number).padStart(5, '0');
}

/**
 * Numbers that are drawn for a tensor; a larger one repeats them, since drawing billions takes minutes and nobody looks at them. A prime,
 * so that no two rows of a matrix are equal.
 */
const period = 262_139;

function randomTensor({ name, shape }: FlatEntry, seed: number): TensorData {
  const data = new Uint16Array(sizeOf(shape));
  const isNorm = /norm[^.]*\.weight$/.test(name);
  if (isNorm) return { dtype: 'bfloat16', shape, data: data.fill(toBfloat16(1)) };
  if (name.endsWith('.bias')) return { dtype: 'bfloat16', shape, data };
  const normal = new Float32Array(Math.min(period, data.length));
  fillNormal(normal, randomStream(seed, `synthetic/${name}`).at());
  for (let i = 0; i < normal.length; i++) data[i] = toBfloat16(0.02 * (normal[i] ?? 0));
  for (let filled = normal.length; filled > 0 && filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return { dtype: 'bfloat16', shape, data };
}

const controlTokens = [
  '<｜begin▁of▁sentence｜>',
  '<｜end▁of▁sentence｜>',
  '<｜▁pad▁｜>',
  '<image_placeholder>',
  '<begin_of_image>',
  '<end_of_image>',
  '<|User|>',
  '<|Assistant|>',
];

/** A byte-level tokenizer without merges. */
function byteTokenizer(firstControlId: number) {
  const isPrintable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  // GPT-2's alphabet: bytes without a glyph of their own are written as the letters from U+0100 on.
  let next = 256;
  const alphabet = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
  return {
    version: '1.0',
    added_tokens: controlTokens.map((content, i) => ({
      id: firstControlId + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(alphabet.map((letter, id) => [letter, id])),
      merges: [],
    },
  };
}
