/** What of a Janus model follows from its configuration and its weights alone: everything that programs are built of. */
import { type AutoregressiveSizes, checkpointWeights, createModules, oncePerGraph } from '@gvu/models';
import { cast, gather, sizeOf, type Target } from '@gvu/onnx';
import { drawnSide } from './checkpoint/config.ts';
import { type JanusCheckpoint, janusParameters } from './checkpoint/open.ts';
import { decoderPrefix } from './model/names.ts';
import { unitCodebook } from './model/vq-decoder.ts';
import type { JanusOptions } from './options.ts';
import { defaultTargets, janusModules, janusRoutes } from './routes.ts';

export function janusSizes(
  { config, checkpoint }: JanusCheckpoint,
  {
    options: { guidance, dtype, sampler },
    target,
  }: { readonly options: Pick<JanusOptions, 'guidance' | 'dtype' | 'sampler'>; readonly target: Target },
): AutoregressiveSizes {
  const { vq, decoder } = config;
  const weights = oncePerGraph((graph) => checkpointWeights(graph, checkpoint, dtype));
  const { needed } = janusParameters(config);
  const side = drawnSide(vq);
  return {
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
    image: { rows: vq.gridSide, columns: vq.gridSide, width: side, height: side },
    guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
    embeddings: (graph, tokens) =>
      cast(gather(unitCodebook(createModules(graph, weights(graph)), vq), tokens), 'float32'),
  };
}
