/**
 * The layout of DeepSeek's release (`"model_type": "multi_modality"`), brought to that of transformers: names by a table, the fused
 * q, k and v as three regions of the same bytes, and sizes from the tensors, because this `config.json` names classes instead
 * (`siglip_large_patch16_384`, `VQ-16`) whose sizes are in the code of the release.
 *
 * Sources: config.json and modeling of deepseek-ai/Janus; convert_janus_weights_to_hf.py of transformers 5.18.
 */
import { defineConfig } from '@gvu/core';
import { modelErrors } from '@gvu/models';
import type { Checkpoint, SafetensorsEntry } from '@gvu/onnx';

type Tensors = ReadonlyMap<string, SafetensorsEntry>;

/** Beginnings and parts of names, each replaced where it matches; a name passes all rules in this order. */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/^language_model\.lm_head\./, 'lm_head.'],
  [/^language_model\.model\./, 'model.language_model.'],
  [/^aligner\./, 'model.aligner.'],
  [/^gen_aligner\./, 'model.generation_aligner.'],
  [/^gen_embed\./, 'model.generation_embeddings.'],
  [/^gen_head\.output_mlp_projector\./, 'model.generation_head.proj_out.'],
  [/^gen_head\.vision_head\./, 'model.generation_head.vision_head.'],
  [/^gen_vision_model\./, 'model.vqmodel.'],
  [/^(model\.vqmodel\.encoder)\.conv_blocks\.(\d+)\./, '$1.down.$2.'],
  [/^(model\.vqmodel\.decoder)\.conv_blocks\.(\d+)\./, '$1.up.$2.'],
  [/^(model\.vqmodel\.\w+\.(?:down|up)\.\d+)\.res\./, '$1.block.'],
  [/^(model\.vqmodel\.\w+\.mid)\.0\./, '$1.block_1.'],
  [/^(model\.vqmodel\.\w+\.mid)\.1\./, '$1.attn_1.'],
  [/^(model\.vqmodel\.\w+\.mid)\.2\./, '$1.block_2.'],
  [/^vision_model\.vision_tower\.patch_embed\.proj\./, 'model.vision_model.embeddings.patch_embedding.'],
  [/^vision_model\.vision_tower\.pos_embed$/, 'model.vision_model.embeddings.position_embedding.weight'],
  [/^vision_model\.vision_tower\.norm\./, 'model.vision_model.post_layernorm.'],
  [/^vision_model\.vision_tower\.blocks\./, 'model.vision_model.encoder.layers.'],
  [/^(model\.vision_model\.encoder\.layers\.\d+)\.norm(\d)\./, '$1.layer_norm$2.'],
  [/^(model\.vision_model\.encoder\.layers\.\d+)\.attn\.proj\./, '$1.self_attn.projection_layer.'],
];

/** The layers of an aligner alternate with activations: 0, 2, 4 … are fc1, hidden_layers.0, hidden_layers.1 … */
const alignerLayer = /^(model\.(?:generation_)?aligner)\.layers\.(\d+)\./;
const fused = /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)$/;

/** The tensors under the names of transformers. Names that no rule knows stay as they are. */
export function fromOriginal({ files, tensors }: Checkpoint): Checkpoint {
  return { files, tensors: new Map([...tensors.values()].flatMap(renamed).map((entry) => [entry.name, entry])) };
}

function renamed(entry: SafetensorsEntry): readonly SafetensorsEntry[] {
  const [, layer, kind] = fused.exec(entry.name) ?? [];
  if (layer !== undefined) return thirds(entry, `model.vision_model.encoder.layers.${layer}.self_attn`, `${kind}`);
  const name = rules
    .reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), entry.name)
    .replace(alignerLayer, (_, aligner: string, place: string) =>
      place === '0' ? `${aligner}.fc1.` : `${aligner}.hidden_layers.${Number(place) / 2 - 1}.`,
    );
  const isTable = name.endsWith('position_embedding.weight') && entry.shape.length === 3 && entry.shape[0] === 1;
  return [{ ...entry, name, shape: isTable ? entry.shape.slice(1) : entry.shape }];
}

/** The rows of q, then those of k, then those of v: each a region of its own. */
function thirds(entry: SafetensorsEntry, attention: string, kind: string): readonly SafetensorsEntry[] {
  const [rows = 0, ...rest] = entry.shape;
  if (rows % 3 > 0) return [entry]; // reported later as a tensor that does not belong
  const length = entry.length / 3;
  return ['q_proj', 'k_proj', 'v_proj'].map((part, i) => ({
    ...entry,
    name: `${attention}.${part}.${kind}`,
    shape: [rows / 3, ...rest],
    offset: entry.offset + i * length,
    length,
  }));
}

const schema = defineConfig({
  type: 'object',
  properties: {
    language_config: { type: 'object', default: {} },
    vision_config: {
      type: 'object',
      properties: {
        params: {
          type: 'object',
          properties: {
            model_name: { type: 'string', default: 'siglip_large_patch16_384' },
            // Not in the release: for towers of other sizes, which have no name there.
            heads: { type: 'integer', minimum: 1 },
            select_layer: { const: -1, default: -1 },
            select_feature: { const: 'same', default: 'same' },
          },
          default: {},
        },
      },
      default: {},
    },
  },
});

/** Heads of the one tower that all releases have; its other sizes show in the tensors. */
const headsOf: Readonly<Record<string, number>> = { siglip_large_patch16_384: 16 };

/**
 * The `config.json` that transformers would have for the renamed tensors. Throws GVU_CONFIG_INVALID or GVU_MODEL_CONFIG for a
 * file that asks for something else; sizes that no tensor shows are left out.
 */
export function originalConfig(json: unknown, tensors: Tensors): Readonly<Record<string, unknown>> {
  const { language_config, vision_config } = schema.parse(json, { source: 'config.json' });
  const { model_name: tower } = vision_config.params;
  const heads = vision_config.params.heads ?? headsOf[tower];
  if (heads === undefined)
    throw modelErrors.error('GVU_MODEL_CONFIG', `The vision tower '${tower}' is not known.`, {
      hint: `Known are ${Object.keys(headsOf).join(', ')}.`,
    });
  const shape = (name: string) => tensors.get(`model.${name}.weight`)?.shape ?? [];
  const count = (pattern: RegExp) =>
    new Set([...tensors.keys()].map((name) => pattern.exec(name)?.[1]).filter((found) => found !== undefined)).size;

  const [width, , patch] = shape('vision_model.embeddings.patch_embedding');
  const [places] = shape('vision_model.embeddings.position_embedding');
  const [feedForward] = shape('vision_model.encoder.layers.0.mlp.fc1');
  const imageSide = patch && places && patch * Math.sqrt(places);

  const [codes, codeWidth] = shape('vqmodel.quantize.embedding');
  const [baseChannels] = shape('vqmodel.decoder.norm_out');
  const levels = count(/^model\.vqmodel\.decoder\.up\.(\d+)\./);
  const multipliers = Array.from({ length: levels }, (_, i) => {
    const [channels = 0] = shape(`vqmodel.decoder.up.${i}.block.0.conv1`);
    return channels / (baseChannels ?? 1);
  }).reverse();

  return defined({
    model_type: 'janus',
    text_config: language_config,
    vision_config: defined({
      hidden_size: width,
      num_hidden_layers: count(/^model\.vision_model\.encoder\.layers\.(\d+)\./) || undefined,
      num_attention_heads: heads,
      patch_size: patch,
      image_size: imageSide,
      mlp_ratio: feedForward && width && feedForward / width,
      depth: 1 + count(/^model\.aligner\.hidden_layers\.(\d+)\./),
    }),
    vq_config: defined({
      num_embeddings: codes,
      embed_dim: codeWidth,
      latent_channels: shape('vqmodel.post_quant_conv')[0],
      base_channels: baseChannels,
      channel_multiplier: levels > 0 ? multipliers : undefined,
      num_res_blocks: count(/^model\.vqmodel\.decoder\.up\.0\.block\.(\d+)\./) - 1 || undefined,
      num_hidden_layers: 1 + count(/^model\.generation_aligner\.hidden_layers\.(\d+)\./),
    }),
  });
}

function defined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
