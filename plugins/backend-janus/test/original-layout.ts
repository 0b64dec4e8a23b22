/**
 * Writes a checkpoint in the layout of DeepSeek's release out of one in the layout of transformers: the reverse of what the plugin
 * does, stated on its own by prefixes, so that a mistake in one does not hide in the other.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint, readTensors, type TensorData, tensorData, toNumbers, writeSafetensors } from '@gvu/onnx';

const parts: readonly (readonly [from: string, to: string])[] = [
  ['model.language_model.', 'language_model.model.'],
  ['lm_head.', 'language_model.lm_head.'],
  ['model.aligner.fc1.', 'aligner.layers.0.'],
  ['model.aligner.hidden_layers.0.', 'aligner.layers.2.'],
  ['model.generation_aligner.fc1.', 'gen_aligner.layers.0.'],
  ['model.generation_aligner.hidden_layers.0.', 'gen_aligner.layers.2.'],
  ['model.generation_embeddings.', 'gen_embed.'],
  ['model.generation_head.proj_out.', 'gen_head.output_mlp_projector.'],
  ['model.generation_head.vision_head.', 'gen_head.vision_head.'],
  ['model.vqmodel.', 'gen_vision_model.'],
  ['model.vision_model.embeddings.patch_embedding.', 'vision_model.vision_tower.patch_embed.proj.'],
  ['model.vision_model.embeddings.position_embedding.weight', 'vision_model.vision_tower.pos_embed'],
  ['model.vision_model.post_layernorm.', 'vision_model.vision_tower.norm.'],
  ['model.vision_model.encoder.layers.', 'vision_model.vision_tower.blocks.'],
];

const inside: readonly (readonly [from: RegExp, to: string])[] = [
  [/\.(?:down|up)\.(\d+)\.block\./, '.conv_blocks.$1.res.'],
  [/\.(?:down|up)\.(\d+)\./, '.conv_blocks.$1.'],
  [/\.mid\.block_1\./, '.mid.0.'],
  [/\.mid\.attn_1\./, '.mid.1.'],
  [/\.mid\.block_2\./, '.mid.2.'],
];
const insideTower: readonly (readonly [from: RegExp, to: string])[] = [
  [/\.layer_norm(\d)\./, '.norm$1.'],
  [/\.self_attn\.projection_layer\./, '.attn.proj.'],
];

/** What writes the tensors; by default one file of safetensors. */
type Write = (folder: string, tensors: ReadonlyMap<string, TensorData>) => Promise<void>;

const asSafetensors: Write = (folder, tensors) => writeSafetensors(join(folder, 'model.safetensors'), tensors);

export async function writeOriginalLayout(from: string, to: string, write = asSafetensors): Promise<void> {
  const { tensors } = await openCheckpoint(from);
  const values = await readTensors(tensors.values());
  const config = JSON.parse(await readFile(join(from, 'config.json'), 'utf8'));
  const result = new Map<string, TensorData>();
  for (const [name, value] of values) {
    const part = parts.find(([prefix]) => name.startsWith(prefix));
    if (!part) throw new Error(`no name for ${name}`);
    const swapped = name.replace(part[0], part[1]);
    const rules = name.startsWith('model.vqmodel.') ? inside : insideTower;
    const renamed = rules.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), swapped);
    if (!/\.self_attn\.[qkv]_proj\./.test(renamed) || name.startsWith('model.language_model.')) {
      const isTable = renamed.endsWith('pos_embed');
      result.set(renamed, isTable ? { ...value, shape: [1, ...value.shape] } : value);
    } else if (renamed.includes('.q_proj.')) {
      const three = ['q', 'k', 'v'].map((which) => values.get(name.replace('.q_proj.', `.${which}_proj.`)));
      const joined = three.flatMap((one) => (one ? toNumbers(one) : []));
      const [rows = 0, ...rest] = value.shape;
      result.set(
        renamed.replace('.self_attn.q_proj.', '.attn.qkv.'),
        tensorData('float32', [3 * rows, ...rest], joined),
      );
    }
  }
  // What the release has besides, and nothing uses.
  result.set('gen_vision_model.quantize.codebook_used', tensorData('float32', [4], [0, 0, 0, 0]));
  result.set('vision_model.vision_tower.attn_pool.latent', tensorData('float32', [1, 1, 2], [0, 0]));
  await write(to, result);
  const { text_config, vision_config, vq_config } = config;
  const original = {
    model_type: 'multi_modality',
    language_config: text_config,
    vision_config: {
      cls: 'CLIPVisionTower',
      params: {
        image_size: vision_config.image_size,
        model_name: 'tiny',
        heads: vision_config.num_attention_heads,
        select_feature: 'same',
        select_layer: -1,
      },
    },
    gen_vision_config: {
      cls: 'VQ-16',
      params: { image_token_size: vq_config.num_embeddings, n_embed: vq_config.embed_dim },
    },
  };
  await writeFile(join(to, 'config.json'), JSON.stringify(original));
}
