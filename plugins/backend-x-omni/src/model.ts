/** The autoregressive half of an X-Omni checkpoint: configuration, weights in their files, tokenizer. */
import {
  type AutoregressiveModel,
  checkpointWeights,
  checkWeights,
  modelErrors,
  openTokenizer,
  readModelJson,
  type TextTokenizer,
} from '@gvu/models';
import { type Checkpoint, openCheckpoint, type Target } from '@gvu/onnx';
import { type XOmniConfig, xOmniConfig } from './config.ts';
import { prefix, xOmniModules, xOmniParameters, xOmniRoutes } from './routes.ts';

export interface XOmniModel {
  readonly directory: string;
  readonly config: XOmniConfig;
  readonly checkpoint: Checkpoint;
  readonly model: AutoregressiveModel;
  readonly tokenizer: TextTokenizer;
}

/**
 * Opens a checkpoint's directory; no weight is read. Throws GVU_MODEL_FILE, GVU_XOMNI_CONFIG, GVU_MODEL_CONFIG, GVU_MODEL_WEIGHTS,
 * GVU_MODEL_TOKENIZER, and what `openCheckpoint` throws.
 */
export async function openXOmni(
  directory: string,
  { target = 'cpu', dtype = 'float32' }: { target?: Target; dtype?: AutoregressiveModel['dtype'] } = {},
): Promise<XOmniModel> {
  const config = xOmniConfig(await readModelJson(directory, 'config.json'));
  const checkpoint = await openCheckpoint(directory);
  const parameters = xOmniParameters(config);
  checkWeights(checkpoint, parameters);
  refuseUnknown(checkpoint, new Set(parameters.map(({ name }) => name)));
  const isImageId = (id: number) => id >= config.decoder.vocabulary;
  const vocabulary = config.decoder.vocabulary + config.imageRows;
  const tokenizer = await openTokenizer(directory, { isControl: isImageId, vocabulary });
  return {
    directory,
    config,
    checkpoint,
    tokenizer,
    model: autoregressiveModel(config, checkpoint, { target, dtype }),
  };
}

/** What programs are built of. */
export function autoregressiveModel(
  config: XOmniConfig,
  checkpoint: Checkpoint,
  { target, dtype }: Pick<AutoregressiveModel, 'target' | 'dtype'>,
): AutoregressiveModel {
  return {
    config: config.decoder,
    prefix,
    routes: xOmniRoutes(config),
    modules: xOmniModules(config),
    weights: (graph) => checkpointWeights(graph, checkpoint, dtype),
    target,
    dtype,
  };
}

/** A tensor that nothing uses means that the model is another one than its configuration says. */
function refuseUnknown(checkpoint: Checkpoint, known: ReadonlySet<string>): void {
  const unknown = [...checkpoint.tensors.keys()].filter((name) => !known.has(name) && !name.endsWith('.inv_freq'));
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, 5).map((name) => `'${name}'`);
  throw modelErrors.error(
    'GVU_MODEL_WEIGHTS',
    `${unknown.length} tensor(s) of the checkpoint are not of an X-Omni model: ${shown.join(', ')}${unknown.length > 5 ? ', ...' : ''}.`,
    { hint: 'The files belong to another model, or config.json to other files.', details: { unknown } },
  );
}
