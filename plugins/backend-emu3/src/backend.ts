/** A checkpoint after Emu3's pattern as a backend of GvU: its routes, sequences and codebook, given to the autoregressive core. */
import {
  type Backend,
  type BackendDeps,
  createAutoregressiveBackend,
  createModules,
  modelErrors,
  weightsFingerprint,
} from '@gvu/models';
import { cast, gather, sizeOf, type Target } from '@gvu/onnx';
import { createImageCodec, pixelsPerToken } from './image-codec.ts';
import { codebookName, emu3Parameters, openEmu3 } from './model.ts';
import { emu3Sequences } from './sequences.ts';

/** As `schema/options.json` has them; the host fills in its defaults. */
export interface Emu3Options {
  /** Directory of a checkpoint in the layout of transformers. */
  readonly model: string;
  readonly rows: number;
  readonly columns: number;
  readonly guidance: number;
  /** What guidance leads away from; '' = no words. */
  readonly negativePrompt: string;
  /** 0 = all. */
  readonly topK: number;
  readonly dtype: 'float32' | 'float16';
}

/** Changes when the same checkpoint would draw otherwise. */
const codeVersion = '2';

/** Opens a checkpoint. Its programs run in the runtime, which it does not close. Throws what `openEmu3` throws. */
export async function createEmu3Backend(
  { model: directory, rows, columns, guidance, negativePrompt, topK, dtype }: Emu3Options,
  { runtime }: BackendDeps,
): Promise<Backend> {
  const target: Target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  const { config, checkpoint, tokens, model } = await openEmu3(directory, { target, dtype });
  const { codes, codeWidth, maxTokens } = config;
  const facts = { rows, columns, guidance, negativePrompt, dtype };
  const fingerprint = await weightsFingerprint(checkpoint.tensors.values(), [JSON.stringify(facts)]);
  const codebook = checkpoint.tensors.get(codebookName);
  if (!codebook) throw modelErrors.error('GVU_MODEL_WEIGHTS', `'${codebookName}' is missing.`);
  return createAutoregressiveBackend(
    {
      name: 'emu3',
      version: `${codeVersion}+${fingerprint}`,
      parameters: emu3Parameters(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      defaultTargets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
      sampler: { temperature: 1, topK: Math.min(topK, codes), topP: 1, minP: 0 },
      model,
      tokenizer: tokens.tokenizer,
      sequences: emu3Sequences(tokens, { rows, columns, negativePrompt }),
      codec: await createImageCodec(codebook, { rows, columns }),
      representations: ['emitted-tokens'],
      image: {
        rows,
        columns,
        width: columns * pixelsPerToken,
        height: rows * pixelsPerToken,
        lineEnd: tokens.control.lineEnd,
      },
      guidance: guidance === 1 ? undefined : { scale: guidance, formula: 'u + w(c - u)' },
      maxTokens,
      embeddings: (graph, drawn) => {
        const { weight } = createModules(graph, model.weights(graph));
        return cast(gather(weight(codebookName, [codes, codeWidth]), drawn), 'float32');
      },
    },
    { runtime },
  );
}
