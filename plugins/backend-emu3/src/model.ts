/** The decoder of a checkpoint: its tensors under the names of transformers, and the way of both kinds of tokens through it. */
import {
  type AutoregressiveModel,
  checkpointWeights,
  checkWeights,
  decoderModules,
  decoderParameters,
  oncePerGraph,
  readModelJson,
  type TokenRoutes,
} from '@gvu/models';
import { add, type Checkpoint, type FlatEntry, openCheckpoint, slice, type Target } from '@gvu/onnx';
import { type Emu3Config, emu3Config } from './config.ts';
import { type Emu3Tokens, openTokens } from './tokens.ts';

const prefix = 'model.text_model.';
export const codebookName = 'model.vqmodel.quantize.embedding.weight';

export interface Emu3Checkpoint {
  readonly config: Emu3Config;
  readonly checkpoint: Checkpoint;
  readonly tokens: Emu3Tokens;
  readonly model: AutoregressiveModel;
}

/** Every tensor that is used. The networks of the image tokenizer may be there beside them. */
export function emu3Parameters({ decoder, codes, codeWidth }: Emu3Config): readonly FlatEntry[] {
  return [...decoderParameters(decoder, prefix), { name: codebookName, shape: [codes, codeWidth] }];
}

/**
 * Opens a checkpoint's directory; no weight is read. Throws GVU_MODEL_FILE, GVU_CONFIG_INVALID, GVU_MODEL_CONFIG, GVU_MODEL_WEIGHTS,
 * GVU_MODEL_TOKENIZER, and what `openCheckpoint` throws.
 */
export async function openEmu3(
  directory: string,
  { target, dtype }: { target: Target; dtype: AutoregressiveModel['dtype'] },
): Promise<Emu3Checkpoint> {
  const config = emu3Config(await readModelJson(directory, 'config.json'));
  const checkpoint = await openCheckpoint(directory);
  checkWeights(checkpoint, emu3Parameters(config));
  const tokens = await openTokens(directory, config);
  const model: AutoregressiveModel = {
    config: config.decoder,
    prefix,
    routes: routes(config, tokens),
    modules: decoderModules(config.decoder, prefix),
    weights: oncePerGraph((graph) => checkpointWeights(graph, checkpoint, dtype)),
    target,
    dtype,
  };
  return { config, checkpoint, tokens, model };
}

/** One table, one norm and one head; image tokens are the last rows of both. */
function routes({ decoder, codes }: Emu3Config, { firstId }: Emu3Tokens): TokenRoutes {
  const { vocabulary, width, tiedHead } = decoder;
  const embedding = `${prefix}embed_tokens`;
  const norm = `${prefix}norm`;
  return {
    text: { vocabulary, embedding, norm, ...(!tiedHead && { head: 'lm_head' }) },
    image: {
      firstId,
      rows: codes,
      tokens: codes,
      embed: (modules, tokens) => modules.embedding(embedding, add(tokens, firstId), { rows: vocabulary, width }),
      norm,
      logits: ({ linear }, normal) =>
        slice(linear(tiedHead ? embedding : 'lm_head', normal, { out: vocabulary }), 1, { start: firstId }),
    },
  };
}
