/**
 * ImageReward (Xu et al. 2023): BLIP reads the prompt while it looks at the picture, and a head makes a number of what it has read,
 * about -2 to 2 after (raw - 0.1672) / 1.0333. The text is cut at 35 tokens, which drops most of a long prompt.
 *
 * A vision transformer (timm's names), a BERT whose blocks also attend to the picture, five linear layers. For looking only.
 *
 * Source: ImageReward.py and models/BLIP of THUDM/ImageReward @ c1392c6. A directory has ImageReward.pt, med_config.json, and the
 * tokenizer files of bert-base-uncased.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConfig } from '@gvu/core';
import {
  checkpointWeights,
  createModules,
  type Modules,
  modelErrors,
  openTokenizer,
  openTorch,
  type Pixels,
  readModelJson,
  weightsFingerprint,
} from '@gvu/models';
import {
  add,
  type Checkpoint,
  cachedAttention,
  compile,
  concat,
  conv,
  createGraph,
  gather,
  gelu,
  input,
  layerNorm,
  openCheckpoint,
  output,
  type Program,
  paddingMask,
  reshape,
  resolveInside,
  slice,
  split,
  type Target,
  type Tensor,
  toNumbers,
  transpose,
} from '@gvu/onnx';
import { rewardErrors } from '../errors.ts';
import type { Reward, RewardDeps } from '../reward.ts';
import { rolloutInput } from '../rollout-input.ts';
import { clipNormalisation } from './encoder/config.ts';
import { preparePicture } from './encoder/prepare-picture.ts';
import { requireRuntime } from './similarity.ts';

export const imageRewardConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model'],
  properties: {
    model: {
      type: 'string',
      minLength: 1,
      description:
        'Directory with the weights, med_config.json, and tokenizer.json and tokenizer_config.json of bert-base-uncased.',
    },
    weights: {
      type: 'string',
      minLength: 1,
      default: 'ImageReward.pt',
      description: 'File of the directory that has the weights: what torch.save wrote, or safetensors.',
    },
  },
});

export type ImageRewardOptions = ReturnType<typeof imageRewardConfig.parse>;

const textLength = 35;
const [scoreMean, scoreDeviation] = [0.16717362830052426, 1.0333394966054072];

/** Rejects with what opening files rejects with, GVU_REWARD_MODEL for weights that are not ImageReward's. */
export async function imageReward(options: ImageRewardOptions, deps: Pick<RewardDeps, 'runtime'>): Promise<Reward> {
  const name = 'image-reward';
  const { model, weights } = options;
  const runtime = requireRuntime(deps, name);
  const path = await resolveInside(await realpath(model), weights);
  if (path === undefined)
    throw modelErrors.error('GVU_MODEL_FILE', `'${join(model, weights)}' cannot be read: there is no such file.`);
  const checkpoint = weights.endsWith('.safetensors') ? await openCheckpoint(path) : await openTorch(path);
  const sizes = sizesOf(
    checkpoint,
    textFile.parse(await readModelJson(model, 'med_config.json'), { source: 'med_config.json' }),
  );
  const tokenise = await bertTexts(model);
  const version = await weightsFingerprint(checkpoint.tensors.values(), [JSON.stringify(sizes)]);
  const target: Target = runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
  const build = () => scoreProgram(checkpoint, sizes, target);
  const { side } = sizes.vision;
  const prepared = (picture: Pixels) =>
    preparePicture(picture, { fitting: 'crop-torchvision', side, normalisation: clipNormalisation });
  build(); // so that what is missing is said now
  return {
    name,
    version: `1 weights=${version}`,
    inputs: ['pixels'],
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    deterministic: true,
    async score(rollouts, { signal }) {
      const session = await runtime.cached(`image-reward ${version}`, build);
      const values: number[] = [];
      for (const [row, rollout] of rollouts.entries()) {
        const data = prepared(rolloutInput(rollout, 'pixels', { reward: name, row }));
        const { ids, real } = tokenise(rollout.prompt);
        const feeds = {
          pixels: { dtype: 'float32', shape: [1, 3, side, side], data },
          ids: { dtype: 'int64', shape: [textLength], data: ids },
          real: { dtype: 'float32', shape: [1, textLength], data: real },
        } as const;
        const { score } = await session.run<'score'>(feeds, { signal });
        values.push(((toNumbers(score)[0] ?? Number.NaN) - scoreMean) / scoreDeviation);
      }
      return { values };
    },
  };
}

/** Begin, at most 33 tokens, end; padding is masked. */
async function bertTexts(folder: string) {
  const tokenizer = await openTokenizer(folder);
  const [begin, end, padding] = ['[CLS]', '[SEP]', '[PAD]'].map((token) => tokenizer.idOf(token));
  if (begin === undefined || end === undefined || padding === undefined)
    throw modelErrors.error('GVU_MODEL_TOKENIZER', `The tokenizer of '${folder}' is not that of BERT.`, {
      hint: 'Get tokenizer.json and tokenizer_config.json of bert-base-uncased.',
    });
  return (text: string) => {
    const ids = [begin, ...tokenizer.encode(text).slice(0, textLength - 2), end];
    return {
      ids: BigInt64Array.from({ length: textLength }, (_, i) => BigInt(ids[i] ?? padding)),
      real: Float32Array.from({ length: textLength }, (_, i) => (i < ids.length ? 1 : 0)),
    };
  };
}

const size = { type: 'integer', minimum: 1 } as const;
const textFile = defineConfig({
  type: 'object',
  required: ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size'],
  properties: {
    hidden_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    intermediate_size: size,
    layer_norm_eps: { type: 'number', exclusiveMinimum: 0, default: 1e-12 },
    hidden_act: { const: 'gelu', default: 'gelu' },
    // Not in the release, whose heads have 64 numbers: for towers of other sizes.
    vision_attention_heads: size,
  },
});

/** Those of the text are in med_config.json, those of the picture show in the tensors. */
function sizesOf({ tensors }: Checkpoint, text: ReturnType<typeof textFile.parse>) {
  const shape = (name: string) => tensors.get(name)?.shape ?? [];
  const at = 'blip.visual_encoder';
  const [width = 0, , patch = 0] = shape(`${at}.patch_embed.proj.weight`);
  const [, places = 0] = shape(`${at}.pos_embed`);
  const [feedForward = 0] = shape(`${at}.blocks.0.mlp.fc1.weight`);
  const blocks = [...tensors.keys()].filter((name) =>
    /^blip\.visual_encoder\.blocks\.\d+\.norm1\.weight$/.test(name),
  ).length;
  const heads = text.vision_attention_heads ?? width / 64;
  const grid = Math.sqrt(places - 1);
  const layers = [...tensors.keys()]
    .flatMap((name) => /^mlp\.layers\.(\d+)\.weight$/.exec(name)?.[1] ?? [])
    .map((place) => ({
      name: `mlp.layers.${place}`,
      place: Number(place),
      out: shape(`mlp.layers.${place}.weight`)[0] ?? 0,
    }))
    .toSorted((a, b) => a.place - b.place);
  const isWhole = [heads, grid, width / heads, text.hidden_size / text.num_attention_heads].every(
    (value) => Number.isInteger(value) && value > 0,
  );
  const [vocabulary = 0] = shape('blip.text_encoder.embeddings.word_embeddings.weight');
  const [positions = 0] = shape('blip.text_encoder.embeddings.position_embeddings.weight');
  if (!isWhole || blocks === 0 || layers.at(-1)?.out !== 1 || positions < textLength)
    throw rewardErrors.error('GVU_REWARD_MODEL', 'The weights are not those of ImageReward.', {
      hint: 'Get ImageReward.pt and med_config.json of one release.',
    });
  return {
    vision: { width, patch, places, feedForward, blocks, heads, side: patch * grid },
    text: { ...text, vocabulary, positions },
    layers,
  };
}

type Sizes = ReturnType<typeof sizesOf>;

/** `pixels` float32 [1, 3, side, side], `ids` int64 [35] and `real` float32 [1, 35] to `score` float32 [1, 1], not normalised. */
function scoreProgram(checkpoint: Checkpoint, sizes: Sizes, target: Target): Program {
  const graph = createGraph({ name: 'image-reward', target });
  const modules = createModules(graph, checkpointWeights(graph, checkpoint));
  const { side } = sizes.vision;
  const seen = look(modules, sizes, input(graph, 'pixels', { dtype: 'float32', shape: [1, 3, side, side] }));
  const read = readPrompt(modules, sizes, {
    ids: input(graph, 'ids', { dtype: 'int64', shape: [textLength] }),
    mask: paddingMask(input(graph, 'real', { dtype: 'float32', shape: [1, textLength] }), 'float32'),
    seen,
  });
  const first = slice(read, 0, { start: 0, end: 1 });
  output(
    'score',
    sizes.layers.reduce((x, { name, out }) => modules.linear(name, x, { out, bias: true }), first),
  );
  return compile(graph);
}

/** Features [places, width] of the picture. */
function look(modules: Modules, { vision }: Sizes, pixels: Tensor): Tensor {
  const { width, patch, places, feedForward, blocks, heads } = vision;
  const at = 'blip.visual_encoder';
  const norm = normaliser(modules, 1e-6);
  const patches = conv(pixels, modules.weight(`${at}.patch_embed.proj.weight`, [width, 3, patch, patch]), {
    stride: patch,
    bias: modules.weight(`${at}.patch_embed.proj.bias`, [width]),
  });
  const rows = transpose(reshape(patches, [width, places - 1]), [1, 0]);
  const whole = concat([reshape(modules.weight(`${at}.cls_token`, [1, 1, width]), [1, width]), rows], 0);
  let hidden = add(whole, reshape(modules.weight(`${at}.pos_embed`, [1, places, width]), [places, width]));
  for (let i = 0; i < blocks; i++) {
    const block = `${at}.blocks.${i}`;
    const joined = modules.linear(`${block}.attn.qkv`, norm(`${block}.norm1`, hidden), { out: 3 * width, bias: true });
    const [q = joined, k = joined, v = joined] = split(joined, 1, [width, width, width]);
    const attended = attend({ q, k, v, heads });
    const middle = modules.linear(`${block}.attn.proj`, attended, { out: width, bias: true, addend: hidden });
    const inner = gelu(
      modules.linear(`${block}.mlp.fc1`, norm(`${block}.norm2`, middle), { out: feedForward, bias: true }),
    );
    hidden = modules.linear(`${block}.mlp.fc2`, inner, { out: width, bias: true, addend: middle });
  }
  return norm(`${at}.norm`, hidden);
}

/** What is read [35, hidden] of a text that is read in both directions, looking at the picture in every block; norms come last. */
function readPrompt(
  modules: Modules,
  { text }: Sizes,
  { ids, mask, seen }: { ids: Tensor; mask: Tensor; seen: Tensor },
): Tensor {
  const { hidden_size: width, num_attention_heads: heads, intermediate_size: feedForward } = text;
  const at = 'blip.text_encoder';
  const norm = normaliser(modules, text.layer_norm_eps);
  const words = gather(modules.weight(`${at}.embeddings.word_embeddings.weight`, [text.vocabulary, width]), ids);
  const positions = modules.weight(`${at}.embeddings.position_embeddings.weight`, [text.positions, width]);
  let hidden = norm(`${at}.embeddings.LayerNorm`, add(words, slice(positions, 0, { start: 0, end: textLength })));
  const attention = (name: string, x: Tensor, { to, hidden: mask }: { to: Tensor; hidden?: Tensor }) => {
    const part = (which: string, of: Tensor) => modules.linear(`${name}.self.${which}`, of, { out: width, bias: true });
    const attended = attend({ q: part('query', x), k: part('key', to), v: part('value', to), heads, mask });
    const sum = modules.linear(`${name}.output.dense`, attended, { out: width, bias: true, addend: x });
    return norm(`${name}.output.LayerNorm`, sum);
  };
  for (let i = 0; i < text.num_hidden_layers; i++) {
    const layer = `${at}.encoder.layer.${i}`;
    const own = attention(`${layer}.attention`, hidden, { to: hidden, hidden: mask });
    const crossed = attention(`${layer}.crossattention`, own, { to: seen });
    const inner = gelu(modules.linear(`${layer}.intermediate.dense`, crossed, { out: feedForward, bias: true }));
    const sum = modules.linear(`${layer}.output.dense`, inner, { out: width, bias: true, addend: crossed });
    hidden = norm(`${layer}.output.LayerNorm`, sum);
  }
  return hidden;
}

function normaliser({ weight }: Modules, epsilon: number) {
  return (name: string, x: Tensor): Tensor => {
    const [scale, bias] = ['weight', 'bias'].map((part) => weight(`${name}.${part}`, [x.shape.at(-1) ?? 0]));
    return layerNorm(x, { scale, bias, epsilon });
  };
}

interface Attending {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly heads: number;
  readonly mask?: Tensor | undefined;
}

/** Rows [T, width] that look at rows [S, width]. */
function attend({ q, k, v, heads, mask }: Attending): Tensor {
  const inHeads = (x: Tensor) => {
    const [rows = 0, width = 0] = x.shape;
    return transpose(reshape(x, [1, rows, heads, width / heads]), [0, 2, 1, 3]);
  };
  const { y } = cachedAttention(inHeads(q), { k: inHeads(k), v: inHeads(v) }, { mask });
  return reshape(transpose(y, [0, 2, 1, 3]), [...q.shape]);
}
