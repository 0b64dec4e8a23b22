/** A Janus checkpoint as a backend of GvU: its routes, prompts and image networks, given to the autoregressive core. */
import { realpath } from 'node:fs/promises';
import {
  type AutoregressiveSpec,
  type Backend,
  type BackendDeps,
  checkpointWeights,
  createAutoregressiveBackend,
  createModules,
  oncePerGraph,
  openTokenizer,
} from '@gvu/models';
import { cast, gather, sizeOf, type Target } from '@gvu/onnx';
import { drawnSide } from './checkpoint/config.ts';
import { janusParameters, openJanus } from './checkpoint/open.ts';
import { readPreprocessing } from './checkpoint/preprocessing.ts';
import { fingerprint } from './fingerprint.ts';
import { createImageCodec } from './model/image-codec.ts';
import { decoderPrefix } from './model/names.ts';
import { unitCodebook } from './model/vq-decoder.ts';
import type { JanusOptions } from './options.ts';
import { defaultTargets, janusModules, janusRoutes } from './routes.ts';
import { controlIds, janusSequences } from './sequences.ts';

/** Changes when the same checkpoint would draw otherwise. */
const codeVersion = '1';

/**
 * Opens a checkpoint. Its programs run in the runtime, which it does not close. Throws what `openJanus` throws, GVU_MODEL_FILE for a
 * file that is not there, GVU_MODEL_TOKENIZER for a tokenizer of another model.
 */
export async function createJanusBackend(options: JanusOptions, { runtime }: BackendDeps): Promise<Backend> {
  const target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  return createAutoregressiveBackend(await janusSpec(options, { runtime, target }), { runtime });
}

/** What the autoregressive core makes the backend of, its programs built for a target. Throws as `createJanusBackend` does. */
export async function janusSpec(
  { model: folder, guidance, dtype, speakers, sampler }: JanusOptions,
  { runtime, target }: BackendDeps & { readonly target: Target },
): Promise<AutoregressiveSpec> {
  const janus = await openJanus(folder);
  const { config, checkpoint } = janus;
  const { vq, decoder, maxTokens } = config;
  const preprocessing = await readPreprocessing(folder);
  const tokenizer = await openTokenizer(folder);
  const ids = controlIds(tokenizer, decoder);
  const facts = { config, preprocessing, speakers, guidance, dtype };
  const version = `${codeVersion}+${await fingerprint(checkpoint, facts)}`;
  const weights = oncePerGraph((graph) => checkpointWeights(graph, checkpoint, dtype));
  const { needed } = janusParameters(config);
  const side = drawnSide(vq);
  const key = `janus ${await realpath(folder)} ${version}`;
  return {
    name: 'janus',
    version,
    parameters: needed.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    defaultTargets,
    sampler,
    model: {
      config: decoder,
      prefix: decoderPrefix,
      routes: janusRoutes(config),
      modules: janusModules(config),
      weights,
      target,
      dtype,
    },
    tokenizer,
    sequences: janusSequences(tokenizer, ids, speakers),
    codec: createImageCodec({ janus, preprocessing, runtime, target, key }),
    representations: ['features'],
    image: { rows: vq.gridSide, columns: vq.gridSide, width: side, height: side },
    guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
    placeholder: ids.placeholder,
    maxTokens,
    embeddings: (graph, tokens) =>
      cast(gather(unitCodebook(createModules(graph, weights(graph)), vq), tokens), 'float32'),
  };
}
