/** A Janus checkpoint as a backend of GvU: its routes, prompts and image networks, given to the autoregressive core. */
import { realpath } from 'node:fs/promises';
import { type AutoregressiveSpec, type Backend, type BackendDeps, createAutoregressiveBackend } from '@gvu/models';
import type { Target } from '@gvu/onnx';
import { openJanus } from './checkpoint/open.ts';
import { readPreprocessing } from './checkpoint/preprocessing.ts';
import { fingerprint } from './fingerprint.ts';
import { createImageCodec } from './model/image-codec.ts';
import type { JanusOptions } from './options.ts';
import { janusSequences, openTokens } from './sequences.ts';
import { janusSizes } from './sizes.ts';

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
  options: JanusOptions,
  { runtime, target }: BackendDeps & { readonly target: Target },
): Promise<AutoregressiveSpec> {
  const { model: folder, guidance, dtype, speakers } = options;
  const janus = await openJanus(folder);
  const { config, checkpoint } = janus;
  const preprocessing = await readPreprocessing(folder);
  const { tokenizer, ids } = await openTokens(folder, { vocabulary: config.decoder.vocabulary, speakers });
  const facts = { config, preprocessing, speakers, guidance, dtype };
  const version = `${codeVersion}+${await fingerprint(checkpoint, facts)}`;
  const key = `janus ${await realpath(folder)} ${version}`;
  return {
    ...janusSizes(janus, { options, target }),
    name: 'janus',
    version,
    tokenizer,
    sequences: janusSequences(tokenizer, ids, speakers),
    codec: createImageCodec({ janus, preprocessing, runtime, target, key }),
    representations: ['features'],
    placeholder: ids.placeholder,
    maxTokens: config.maxTokens,
  };
}
