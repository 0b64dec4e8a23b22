/** A Janus checkpoint as a backend of GvU: its routes, prompts and image networks, given to the autoregressive core. */
import { realpath } from 'node:fs/promises';
import {
  type AutoregressiveModel,
  type Backend,
  type BackendDeps,
  checkpointWeights,
  createAutoregressiveBackend,
  createModules,
  type Modules,
  openTokenizer,
} from '@gvu/models';
import { type Graph, gather, sizeOf } from '@gvu/onnx';
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
export async function createJanusBackend(
  { model: folder, guidance, speakers, sampler }: JanusOptions,
  { runtime }: BackendDeps,
): Promise<Backend> {
  const janus = await openJanus(folder);
  const { config, checkpoint } = janus;
  const { vq, decoder, maxTokens } = config;
  const preprocessing = await readPreprocessing(folder);
  const tokenizer = await openTokenizer(folder);
  const ids = controlIds(tokenizer, decoder);
  const version = `${codeVersion}+${await fingerprint(checkpoint, { config, preprocessing, speakers, guidance })}`;
  const target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  const model: AutoregressiveModel = {
    config: decoder,
    prefix: decoderPrefix,
    routes: janusRoutes(config),
    modules: janusModules(config),
    weights: (graph) => checkpointWeights(graph, checkpoint),
    target,
    dtype: 'float32',
  };
  const { needed } = janusParameters(config);
  const side = drawnSide(vq);
  const known = new WeakMap<Graph, Modules>();
  // A weight is declared once in a graph, which may hold the policy twice.
  const modulesOf = (graph: Graph): Modules => {
    const modules = known.get(graph) ?? createModules(graph, checkpointWeights(graph, checkpoint));
    known.set(graph, modules);
    return modules;
  };
  const key = `janus ${await realpath(folder)} ${version}`;
  return createAutoregressiveBackend(
    {
      name: 'janus',
      version,
      parameters: needed.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      defaultTargets,
      sampler,
      model,
      tokenizer,
      sequences: janusSequences(tokenizer, ids, speakers),
      codec: createImageCodec({ janus, preprocessing, runtime, target, key }),
      representations: ['features'],
      image: { rows: vq.gridSide, columns: vq.gridSide, width: side, height: side },
      guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
      placeholder: ids.placeholder,
      maxTokens,
      embeddings: (graph, tokens) => gather(unitCodebook(modulesOf(graph), vq), tokens),
    },
    { runtime },
  );
}
