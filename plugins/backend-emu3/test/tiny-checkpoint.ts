/** A checkpoint of a few thousand random weights, in the layout and with the names of the real one. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNormal, randomStream } from '@gvu/core';
import { sizeOf, type TensorData, writeSafetensors } from '@gvu/onnx';
import { emu3Config } from '../src/config.ts';
import { emu3Parameters } from '../src/model.ts';
import { visualToken } from '../src/tokens.ts';

const codes = 16;
/** Behind the 256 bytes, in the order of the release. */
const controlNames = [
  '<|endoftext|>',
  '<|extra_200|>',
  '<|extra_201|>',
  '<|extra_203|>',
  '<|extra_204|>',
  '<|image token|>',
  '<|image start|>',
  '<|image end|>',
];

export interface TinyCheckpoint extends AsyncDisposable {
  readonly path: string;
  /** Writes a JSON file anew. */
  write(name: 'config.json' | 'tokenizer.json', json: unknown): Promise<void>;
}

export const tinyConfig = {
  model_type: 'emu3',
  text_config: {
    model_type: 'emu3_text_model',
    vocab_size: 256 + controlNames.length + codes,
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    rope_theta: 1e6,
    max_position_embeddings: 512,
    tie_word_embeddings: false,
  },
  vq_config: { codebook_size: codes, embed_dim: 4 },
};

export async function tinyCheckpoint(): Promise<TinyCheckpoint> {
  const path = await mkdtemp(join(tmpdir(), 'gvu-emu3-'));
  const write = (name: string, json: unknown) => writeFile(join(path, name), JSON.stringify(json));
  await write('config.json', tinyConfig);
  await write('tokenizer.json', tokenizerJson());
  await write('tokenizer_config.json', {});
  await writeSafetensors(
    join(path, 'model.safetensors'),
    new Map(emu3Parameters(emu3Config(tinyConfig)).map(({ name, shape }) => [name, randomTensor(name, shape)])),
  );
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** Norms near one, the rest normal: wide enough that the logits say something. */
function randomTensor(name: string, shape: readonly number[]): TensorData {
  const normal = new Float32Array(sizeOf(shape));
  fillNormal(normal, randomStream(1, `emu3/${name}`).at());
  const data = normal.map((value) => (name.includes('norm') ? 1 + 0.1 * value : 0.25 * value));
  return { dtype: 'float32', shape, data };
}

/** Bytes as words, without merges. */
export function tokenizerJson(visualNames = Array.from({ length: codes }, (_, token) => visualToken(token))) {
  const isPrintable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  const letters = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
  return {
    version: '1.0',
    added_tokens: [...controlNames, ...visualNames].map((content, i) => ({
      id: 256 + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: false,
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
      vocab: Object.fromEntries(letters.map((letter, id) => [letter, id])),
      merges: [],
    },
  };
}
