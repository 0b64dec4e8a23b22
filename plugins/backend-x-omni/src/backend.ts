/** An X-Omni checkpoint as a backend of GvU: its routes, prompts and image tokenizer, given to the autoregressive core. */
import { realpath } from 'node:fs/promises';
import {
  type Backend,
  type BackendDeps,
  createAutoregressiveBackend,
  createModules,
  oncePerGraph,
  weightsFingerprint,
} from '@gvu/models';
import { gather, sizeOf, type Target } from '@gvu/onnx';
import { xOmniErrors } from './errors.ts';
import { drawnGrid } from './grid.ts';
import { createImageCodec } from './image-codec.ts';
import { openXOmni, type XOmniModel } from './model.ts';
import type { XOmniOptions } from './options.ts';
import { openOnnxDecoder } from './pixel-decoder.ts';
import { xOmniParameters } from './routes.ts';
import { samplers } from './samplers.ts';
import { xOmniSequences } from './sequences.ts';
import { openSiglipVq, type SiglipVqWeights } from './siglip-vq/weights.ts';

/** Changes when the same checkpoint would draw otherwise. */
const codeVersion = '1';

export const defaultTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/**
 * Opens a checkpoint. Its programs run in the runtime, which it does not close. `warn` is told what the checkpoint lacks. Throws what
 * `openXOmni`, `openSiglipVq` and `openOnnxDecoder` throw, and GVU_XOMNI_CONFIG for an image size that is no whole number of patches.
 */
export async function createXOmniBackend(
  { model: directory, imageSize, sampler, guidance, decoder: decoderPath, dtype }: XOmniOptions,
  { runtime }: BackendDeps,
  warn: (message: string) => void = () => undefined,
): Promise<Backend> {
  const target: Target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  const opened = await openXOmni(directory, { target, dtype });
  const { config, tokenizer, model } = opened;
  const siglip = config.encoder && (await openSiglipVq(directory, config.encoder));
  if (siglip) checkCodes(siglip, opened);
  const patch = siglip?.config.vision.patch ?? config.encoder?.sizes.patch ?? 16;
  const grid = drawnGrid(imageSize, { patch, maxTokens: config.maxTokens });
  const [width, height] = [grid.columns * patch, grid.rows * patch];
  const codec = siglip && { config: siglip.config, source: oncePerGraph(siglip.source), target };
  const decoder = decoderPath === undefined ? undefined : await openDecoder(decoderPath);
  const facts = { dtype, guidance, grid, decoder: decoder?.version ?? 'preview' };
  const tensors = [opened.checkpoint, ...(siglip?.files ?? [])].flatMap((file) => [...file.tensors.values()]);
  const version = `${codeVersion}+${await weightsFingerprint(tensors, [JSON.stringify(facts)])}`;
  if (!codec) warn('The checkpoint has no weights of its image tokenizer: it cannot look at pictures.');
  if (!decoder)
    warn(
      'There is no pixel decoder: pictures of drawings only show which of their tokens are equal, and cannot be read.',
    );

  return createAutoregressiveBackend(
    {
      name: 'x-omni',
      version,
      parameters: xOmniParameters(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      defaultTargets,
      sampler: samplers[sampler],
      model,
      tokenizer,
      sequences: xOmniSequences(config, tokenizer, grid),
      codec: createImageCodec({
        runtime,
        key: `x-omni ${await realpath(directory)} ${version}`,
        grid,
        eyes: codec && config.encoder && { codec, sizes: config.encoder.sizes },
        decoder,
      }),
      // A preview cannot be read: only a real picture can be made into tokens again.
      representations: codec && decoder ? ['emitted-tokens', 'retokenised-pixels'] : ['emitted-tokens'],
      image: { ...grid, width: decoder?.width ?? width, height: decoder?.height ?? height },
      guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
      maxTokens: config.maxTokens,
      embeddings:
        codec &&
        ((graph, tokens) => {
          const { codes, codeWidth } = codec.config;
          const { weight } = createModules(graph, codec.source(graph));
          return gather(weight('quantize.embedding.weight', [codes, codeWidth]), tokens);
        }),
    },
    { runtime },
  );

  async function openDecoder(path: string) {
    if (codec) return openOnnxDecoder({ path, codec, grid, runtime });
    throw xOmniErrors.error('GVU_XOMNI_ENCODER', 'A pixel decoder needs the semantic latents of the image tokenizer.', {
      hint: 'Add the weights that vision_config.encoder of config.json names to the checkpoint.',
    });
  }
}

function checkCodes({ config: { codes } }: SiglipVqWeights, { config }: XOmniModel): void {
  if (codes === config.imageTokens) return;
  throw xOmniErrors.error(
    'GVU_XOMNI_ENCODER',
    `The image tokenizer has ${codes} codes, but the model draws ${config.imageTokens} tokens.`,
    { hint: 'Get both from the same release.' },
  );
}
