/**
 * Opens a Janus checkpoint directory, in the layout of transformers or of DeepSeek's release, and checks that its tensors are
 * exactly those of the model that its configuration describes. The weights stay in their files.
 */
import { isRecord } from '@gvu/core';
import { checkWeights, decoderParameters, modelErrors, readModelJson } from '@gvu/models';
import type { Checkpoint, FlatEntry } from '@gvu/onnx';
import { decoderPrefix } from '../model/names.ts';
import { generationParameters } from '../model/projectors.ts';
import { visionParameters } from '../model/siglip.ts';
import { vqDecoderParameters } from '../model/vq-decoder.ts';
import { vqEncoderParameters } from '../model/vq-encoder.ts';
import { type JanusConfig, janusConfig } from './config.ts';
import { openWeights } from './files.ts';
import { fromOriginal, originalConfig } from './original-layout.ts';

export interface JanusCheckpoint {
  readonly config: JanusConfig;
  /** The tensors under the names of transformers, whatever the files call them. */
  readonly checkpoint: Checkpoint;
}

/** Tensors that some checkpoints have and no network here uses: the pooling head, a counter of training, tables that are computed. */
const unused = [/\battn_pool\./, /\bcodebook_used$/, /\bposition_ids$/, /\brotary_emb\.inv_freq$/];

/**
 * Throws GVU_MODEL_FILE, GVU_MODEL_CONFIG or GVU_CONFIG_INVALID for a configuration, GVU_MODEL_WEIGHTS with every tensor that is missing, misshapen
 * or unknown, and what `openWeights` throws.
 */
export async function openJanus(folder: string): Promise<JanusCheckpoint> {
  const json = await readConfig(folder);
  const found = await openWeights(folder);
  const isOriginal = json.model_type === 'multi_modality';
  const checkpoint = isOriginal ? fromOriginal(found) : found;
  const parsed = isOriginal ? originalConfig(json, checkpoint.tensors) : json;
  const config = janusConfig(parsed, { tiedHead: !checkpoint.tensors.has('lm_head.weight') && saysTied(json) });
  checkTensors(checkpoint, config);
  return { config, checkpoint };
}

/** Every tensor that the model needs, and the VQ encoder's, which nothing here needs. */
export function janusParameters(config: JanusConfig): { needed: readonly FlatEntry[]; encoder: readonly FlatEntry[] } {
  const needed = [
    ...decoderParameters(config.decoder, decoderPrefix),
    ...visionParameters(config.vision, { decoderWidth: config.decoder.width }),
    ...generationParameters(config),
    ...vqDecoderParameters(config.vq),
  ];
  return { needed, encoder: vqEncoderParameters(config.vq) };
}

function checkTensors(checkpoint: Checkpoint, config: JanusConfig): void {
  const { needed, encoder } = janusParameters(config);
  const hasEncoder = encoder.some(({ name }) => checkpoint.tensors.has(name));
  const expected = hasEncoder ? [...needed, ...encoder] : needed;
  checkWeights(checkpoint, expected);
  const names = new Set(expected.map(({ name }) => name));
  const strange = [...checkpoint.tensors.keys()].filter(
    (name) => !names.has(name) && !unused.some((pattern) => pattern.test(name)),
  );
  if (strange.length > 0)
    throw modelErrors.error(
      'GVU_MODEL_WEIGHTS',
      `The checkpoint has tensors of no part of Janus: ${listed(strange)}.`,
      {
        hint: 'The files belong to another model, or config.json to other files.',
        details: { problems: strange },
      },
    );
}

/** Whether a head may be missing: only where the file says itself that it is the embedding table. */
function saysTied(json: Readonly<Record<string, unknown>>): boolean {
  const inner = json.text_config ?? json.language_config;
  return json.tie_word_embeddings === true || (isRecord(inner) && inner.tie_word_embeddings === true);
}

/** Throws GVU_MODEL_FILE, or GVU_MODEL_CONFIG for another kind of model. */
export async function readConfig(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const json = await readModelJson(folder, 'config.json');
  if (json.model_type === 'janus' || json.model_type === 'multi_modality') return json;
  const found = JSON.stringify(json.model_type);
  throw modelErrors.error(
    'GVU_MODEL_CONFIG',
    `config.json in '${folder}' says "model_type": ${found}, not "janus" or "multi_modality".`,
    { hint: 'Name the directory of a Janus checkpoint.' },
  );
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => `'${name}'`);
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ');
}
