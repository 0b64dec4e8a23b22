/**
 * Weights as open_clip and OpenAI's release name them, brought to the names of transformers: the fused q, k and v are three regions of
 * the same bytes. The two projections lie transposed, which no region can mend: they are read and turned.
 *
 * Source: convert_clip_original_pytorch_to_hf.py of transformers 5.18.
 */
import { readTorchTensor } from '@gvu/models';
import type { Checkpoint, SafetensorsEntry, TensorData } from '@gvu/onnx';
import { toNumbers } from '@gvu/onnx';

/** Beginnings and parts of names, each replaced where it matches; a name passes all rules in this order. */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/^visual\.conv1\.weight$/, 'vision_model.embeddings.patch_embedding.weight'],
  [/^visual\.class_embedding$/, 'vision_model.embeddings.class_embedding'],
  [/^visual\.positional_embedding$/, 'vision_model.embeddings.position_embedding.weight'],
  [/^visual\.ln_pre\./, 'vision_model.pre_layrnorm.'],
  [/^visual\.ln_post\./, 'vision_model.post_layernorm.'],
  [/^visual\.transformer\.resblocks\./, 'vision_model.encoder.layers.'],
  [/^transformer\.resblocks\./, 'text_model.encoder.layers.'],
  [/^token_embedding\.weight$/, 'text_model.embeddings.token_embedding.weight'],
  [/^positional_embedding$/, 'text_model.embeddings.position_embedding.weight'],
  [/^ln_final\./, 'text_model.final_layer_norm.'],
  [/\.ln_(\d)\./, '.layer_norm$1.'],
  [/\.attn\.out_proj\./, '.self_attn.out_proj.'],
  [/\.mlp\.c_fc\./, '.mlp.fc1.'],
  [/\.mlp\.c_proj\./, '.mlp.fc2.'],
];

const fused = /^(.*)\.attn\.in_proj_(weight|bias)$/;
const turned: Readonly<Record<string, string>> = {
  'visual.proj': 'visual_projection.weight',
  text_projection: 'text_projection.weight',
};

export interface RenamedWeights {
  readonly checkpoint: Checkpoint;
  /** Tensors that could not stay where they are. */
  readonly copies: ReadonlyMap<string, TensorData>;
}

/** The tensors under the names of transformers. Names that no rule knows stay as they are. */
export async function fromOpenClip({ files, tensors }: Checkpoint): Promise<RenamedWeights> {
  const copies = new Map<string, TensorData>();
  for (const [from, to] of Object.entries(turned)) {
    const entry = tensors.get(from);
    if (entry?.shape.length === 2) copies.set(to, transposed(await readTorchTensor(entry)));
  }
  const renamed = [...tensors.values()].flatMap(renamedEntry).map((entry) => [entry.name, entry] as const);
  return { checkpoint: { files, tensors: new Map(renamed) }, copies };
}

function renamedEntry(entry: SafetensorsEntry): readonly SafetensorsEntry[] {
  const rename = (text: string) =>
    rules.reduce((name, [pattern, replacement]) => name.replace(pattern, replacement), text);
  const [, at, kind] = fused.exec(entry.name) ?? [];
  const [rows = 0, ...rest] = entry.shape;
  if (at === undefined || rows % 3 > 0) return [{ ...entry, name: rename(entry.name) }];
  const length = entry.length / 3;
  return ['q_proj', 'k_proj', 'v_proj'].map((part, i) => ({
    ...entry,
    name: `${rename(`${at}.`)}self_attn.${part}.${kind}`,
    shape: [rows / 3, ...rest],
    offset: entry.offset + i * length,
    length,
  }));
}

function transposed(tensor: TensorData): TensorData {
  const [rows = 0, columns = 0] = tensor.shape;
  const values = toNumbers(tensor);
  const data = Float32Array.from(
    { length: rows * columns },
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0,
  );
  return { dtype: 'float32', shape: [columns, rows], data };
}
