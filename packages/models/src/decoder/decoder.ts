/**
 * A decoder-only transformer of the Llama family (Llama, Qwen2/2.5, Qwen3, Chameleon) as graph functions: blocks of grouped-query
 * attention with rotary positions, and a gated SiLU feed-forward. The blocks are written once; training, prefill and
 * decoding differ only in how attention meets its cache.
 *
 * Hidden states are matrices [N, width] with N = rows x positions: every product is one Gemm, and residual additions ride in
 * its addend. Sources: modeling_llama.py, modeling_qwen2.py, modeling_qwen3.py, modeling_chameleon.py of
 * transformers 5.18.
 */
import {
  add,
  attention,
  cachedAttention,
  cast,
  checkpoint,
  constantData,
  gemm,
  layerNorm,
  mul,
  type RopeTables,
  reshape,
  rmsNorm,
  rope,
  scope,
  silu,
  type Tensor,
  transpose,
  where,
} from '@gvu/onnx';
import type { Modules } from '../modules.ts';
import type { DecoderConfig } from './config.ts';
import { ropeTables } from './rope-tables.ts';

/** What a decoder computes in. */
export type ComputeDType = 'float32' | 'float64' | 'float16';

/** A decoder in a graph: its weights, its sizes, and how far its rotary tables reach. */
export interface Decoder {
  readonly modules: Modules;
  readonly config: DecoderConfig;
  /** What tensor names begin with: `model.` in Hugging Face checkpoints. */
  readonly prefix: string;
  readonly dtype: ComputeDType;
  readonly rope: RopeTables;
  /** Gradients compute each block again instead of keeping its inner values: less memory, more time. */
  readonly checkpointing: boolean;
}

export function createDecoder(
  modules: Modules,
  config: DecoderConfig,
  options: { positions: number; dtype?: ComputeDType; prefix?: string; checkpointing?: boolean },
): Decoder {
  const { positions, dtype = 'float32', prefix = 'model.', checkpointing = false } = options;
  const { cos, sin } = ropeTables(config, positions, dtype);
  return {
    modules,
    config,
    prefix,
    dtype,
    rope: { cos: constantData(modules.graph, cos), sin: constantData(modules.graph, sin) },
    checkpointing,
  };
}

/** Hidden states [B * T, width] of token ids [B, T]. */
export function embedTokens({ modules, config, prefix }: Decoder, ids: Tensor): Tensor {
  const rows = modules.embedding(`${prefix}embed_tokens`, ids, { rows: config.vocabulary, width: config.width });
  return reshape(rows, [-1, config.width]);
}

/** Logits [N, vocabulary] of hidden states [N, width] that have left the last block: final norm and head. Never float16. */
export function headLogits(decoder: Decoder, hidden: Tensor): Tensor {
  const { modules, config, prefix, dtype } = decoder;
  const normal = rmsNorm(hidden, modules.weight(`${prefix}norm.weight`, [config.width]), config.epsilon);
  const logits = config.tiedHead
    ? gemm(normal, modules.weight(`${prefix}embed_tokens.weight`, [config.vocabulary, config.width]), { transB: true })
    : modules.linear('lm_head', normal, { out: config.vocabulary });
  // Losses and sampling need the digits that half precision lacks.
  return dtype === 'float16' ? cast(logits, 'float32') : logits;
}

/** The rows that a layer changes: where a bool [B * T, 1] holds. The others leave it as they entered, but are attended to. */
export type Changes = 'all' | 'none' | Tensor;

interface Block {
  /** Hidden states that enter [B * T, width]. */
  readonly hidden: Tensor;
  /** Position of every token [B, T] int64. */
  readonly positions: Tensor;
  /** For models whose layers belong to one kind of token; by default each layer changes all rows. */
  readonly changes?: ((layer: number) => Changes) | undefined;
}

/** All blocks over whole sequences, as training and scoring need them: hidden states after each block, the last one last. */
export function runBlocks(decoder: Decoder, input: Block & { mask: Tensor }): readonly Tensor[] {
  const { modules, config, checkpointing } = decoder;
  let { hidden } = input;
  return Array.from({ length: config.layers }, (_, layer) => {
    const build = () =>
      block(decoder, layer, { ...input, hidden }, (q, k, v) => attention(q, k, v, { mask: input.mask }));
    hidden = checkpointing ? checkpoint(modules.graph, build) : build();
    return hidden;
  });
}

/** Keys and values of every layer, [B, Hkv, T, D] each, two a layer. */
export type Caches = readonly Tensor[];

/** All blocks over a prompt, keeping its keys and values for decoding. */
export function prefillBlocks(decoder: Decoder, input: Block & { mask: Tensor }): { hidden: Tensor; caches: Caches } {
  const caches: Tensor[] = [];
  let { hidden } = input;
  for (let layer = 0; layer < decoder.config.layers; layer++)
    hidden = block(decoder, layer, { ...input, hidden }, (q, k, v) => {
      caches.push(k, v);
      // Nothing differentiates a prefill: the fused form will do.
      return cachedAttention(q, { k, v }, { mask: input.mask }).y;
    });
  return { hidden, caches };
}

/** All blocks over one new token a row, against the caches; gives the grown caches. */
export function decodeBlocks(
  decoder: Decoder,
  input: Block & { caches: Caches; mask?: Tensor | undefined },
): { hidden: Tensor; caches: Caches } {
  const caches: Tensor[] = [];
  let { hidden } = input;
  for (let layer = 0; layer < decoder.config.layers; layer++)
    hidden = block(decoder, layer, { ...input, hidden }, (q, k, v) => {
      const [pastK = k, pastV = v] = input.caches.slice(2 * layer);
      const grown = cachedAttention(q, { k, v, pastK, pastV }, { mask: input.mask });
      caches.push(grown.k, grown.v);
      return grown.y;
    });
  return { hidden, caches };
}

/** Of LayerNorm on heads: that of Chameleon's code, whatever its configuration says. */
const headEpsilon = 1e-5;

/** One block: x + attention(norm(x)), then x + mlp(norm(x)); or, with norms behind, x + norm(attention(x)), then x + norm(mlp(x)). */
function block(
  decoder: Decoder,
  layer: number,
  { hidden, positions, changes }: Block,
  attend: (q: Tensor, k: Tensor, v: Tensor) => Tensor,
): Tensor {
  const { modules, config, prefix } = decoder;
  const { graph } = modules;
  const name = `${prefix}layers.${layer}`;
  const [batch = 0, length = 0] = positions.shape;
  const norm = (x: Tensor, which: string) =>
    rmsNorm(x, modules.weight(`${name}.${which}.weight`, [config.width]), config.epsilon);
  // Without norms between, the residual addition is part of the last product.
  const entering = (x: Tensor, which: string) => (config.normsBehind ? x : norm(x, which));
  const joining = (x: Tensor) => (config.normsBehind ? {} : { addend: x });
  const joined = (x: Tensor, y: Tensor, which: string) => (config.normsBehind ? add(x, norm(y, which)) : y);

  const attended = scope(graph, `${name}.self_attn`, () => {
    const normal = entering(hidden, 'input_layernorm');
    const parts = (['q', 'k', 'v'] as const).map((part) => ({
      name: `${name}.self_attn.${part}_proj`,
      out: (part === 'q' ? config.heads : config.kvHeads) * config.headDim,
    }));
    const [flatQ = normal, flatK = normal, flatV = normal] = modules.linears(parts, normal, { bias: config.qkvBias });
    // With one position there is nothing to move between [B, T, H, D] and [B, H, T, D].
    const swap = (x: Tensor, shape: readonly number[]) =>
      length === 1 ? reshape(x, shape) : transpose(x, [0, 2, 1, 3]);
    const heads = (flat: Tensor) => {
      const count = (flat.shape[1] ?? 0) / config.headDim;
      return swap(reshape(flat, [batch, length, count, config.headDim]), [batch, count, length, config.headDim]);
    };
    // Rotated before the heads come to the front: cheaper, and the norm of each head sees the same rows.
    const rotated = (flat: Tensor, part: 'q' | 'k') => {
      const count = part === 'q' ? config.heads : config.kvHeads;
      const apart = reshape(flat, [batch, length, count, config.headDim]);
      const scaled = headNorm(apart, part);
      const options = { heads: count };
      const flatRows = rope(reshape(scaled, [batch, length, count * config.headDim]), positions, decoder.rope, options);
      return heads(reshape(flatRows, flat.shape));
    };
    const headNorm = (x: Tensor, part: 'q' | 'k') => {
      if (config.qkNorm === 'none') return x;
      const own = `${name}.self_attn.${part}_norm`;
      if (config.qkNorm === 'rms') return rmsNorm(x, modules.weight(`${own}.weight`, [config.headDim]), config.epsilon);
      const shape = x.shape.slice(2);
      const scaled = mul(layerNorm(x, { epsilon: headEpsilon }), modules.weight(`${own}.weight`, shape));
      return add(scaled, modules.weight(`${own}.bias`, shape));
    };
    const y = attend(rotated(flatQ, 'q'), rotated(flatK, 'k'), heads(flatV));
    const rows = reshape(swap(y, [batch, length, config.heads, config.headDim]), [
      batch * length,
      config.heads * config.headDim,
    ]);
    const projected = modules.linear(`${name}.self_attn.o_proj`, rows, {
      out: config.width,
      bias: config.outputBias,
      ...joining(hidden),
    });
    return joined(hidden, projected, 'input_layernorm');
  });

  const changed = changes?.(layer) ?? 'all';
  if (changed === 'none') return hidden;
  const left = scope(graph, `${name}.mlp`, () => {
    const normal = entering(attended, 'post_attention_layernorm');
    const [gate, up] = ['gate', 'up'].map((part) =>
      modules.linear(`${name}.mlp.${part}_proj`, normal, { out: config.feedForward, bias: config.mlpBias }),
    );
    const inner = gate && up ? mul(silu(gate), up) : normal;
    const projected = modules.linear(`${name}.mlp.down_proj`, inner, {
      out: config.width,
      bias: config.mlpBias,
      ...joining(attended),
    });
    return joined(attended, projected, 'post_attention_layernorm');
  });
  return changed === 'all' ? left : where(changed, left, hidden);
}
