/** The smallest backend on the autoregressive core: words are letters, a picture is one grey for each of four tokens. Random weights. */
import { fillNormal, randomStream } from '@gvu/core';
import {
  type Backend,
  createAutoregressiveBackend,
  type DecoderConfig,
  decoderModules,
  decoderParameters,
  modelErrors,
  type TextTokenizer,
} from '@gvu/models';
import { add, exactSampler, type Runtime, sizeOf, slice, weight } from '@gvu/onnx';

const letters = 32;
const codes = 8;
const vocabulary = letters + codes;
const end = 0;
const config: DecoderConfig = {
  vocabulary,
  width: 16,
  feedForward: 24,
  layers: 1,
  heads: 2,
  kvHeads: 1,
  headDim: 8,
  epsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'default' },
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  qkNorm: 'none',
  normsBehind: false,
  tiedHead: false,
};

const tokenizer: TextTokenizer = {
  encode: (text) => [...text].map((letter) => 1 + (letter.charCodeAt(0) % (letters - 1))),
  encodePlain(text) {
    if (text === '') throw modelErrors.error('GVU_MODEL_TEXT', 'A text is empty.');
    return this.encode(text);
  },
  decode: (ids) => ids.map((id) => String.fromCharCode(96 + id)).join(''),
  idOf: () => undefined,
  chat: () => '',
};

export function tinyBackend(runtime: Runtime): Backend {
  const parameters = decoderParameters(config);
  const image = (tokens: Int32Array) => Array.from(tokens, (token) => token + letters);
  return createAutoregressiveBackend(
    {
      name: 'tiny',
      version: '1',
      parameters: parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      defaultTargets: ['q_proj', 'v_proj', 'down_proj'],
      sampler: exactSampler,
      model: {
        config,
        prefix: 'model.',
        routes: {
          text: { vocabulary, embedding: 'model.embed_tokens', norm: 'model.norm', head: 'lm_head' },
          image: {
            firstId: letters,
            rows: codes,
            tokens: codes,
            embed: ({ embedding }, tokens) =>
              embedding('model.embed_tokens', add(tokens, letters), { rows: vocabulary, width: config.width }),
            norm: 'model.norm',
            logits: ({ linear }, normal) =>
              slice(linear('lm_head', normal, { out: vocabulary }), 1, { start: letters }),
          },
        },
        modules: decoderModules(config),
        weights: (graph) => (name, shape) => {
          const data = new Float32Array(sizeOf(shape));
          fillNormal(data, randomStream(1, `tiny/${name}`).at());
          return weight(graph, name, { dtype: 'float32', shape, data: data.map((value) => 0.4 * value + 0.1) });
        },
        target: 'cpu',
        dtype: 'float32',
      },
      tokenizer,
      sequences: {
        draw: (prompt) => tokenizer.encodePlain(prompt),
        read: (instruction, shown) => [
          end,
          ...(shown && 'tokens' in shown ? image(shown.tokens) : []),
          ...tokenizer.encodePlain(instruction),
        ],
        describe: 'what',
        stop: [end],
        padding: end,
      },
      codec: {
        decode: async (drawings) =>
          drawings.map(({ tokens }) => ({
            width: 2,
            height: 2,
            data: Uint8Array.from([...tokens].flatMap((token) => [30 * token, 30 * token, 30 * token])),
          })),
      },
      representations: ['emitted-tokens'],
      image: { rows: 2, columns: 2, width: 2, height: 2 },
      maxTokens: 128,
    },
    { runtime },
  );
}
