/**
 * An image-text model from one ONNX file, of the form in which CLIP and SigLIP are exported whole:
 *
 *   input_ids [B, L], pixel_values [N, 3, S, S]  (attention_mask [B, L])  ->  image_embeds, text_embeds, logits_per_image
 *
 * A run asks both towers, so that one text or one picture costs a little more than with weights in safetensors. The scale and bias of
 * logits are not outputs of such a file; they are found from its own logits by a straight line through a few pairs.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileProgram, type Program, type Runtime, readModel, type TensorData, toNumbers } from '@gvu/onnx';
import { rewardErrors } from '../../errors.ts';
import type { EncoderConfig } from './config.ts';
import type { TokenisedText } from './texts.ts';

export interface OnnxTowers {
  /** Changes with any byte of the file or of its weight files. */
  readonly fingerprint: string;
  readonly scale: number;
  readonly bias: number;
  /** [width], as the file gives them. */
  image(pixels: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  text(text: TokenisedText, signal: AbortSignal): Promise<Float32Array>;
}

const inputs = ['input_ids', 'pixel_values', 'attention_mask'];
const outputs = ['image_embeds', 'text_embeds', 'logits_per_image'] as const;

export interface OnnxTowersOptions {
  readonly runtime: Runtime;
  readonly config: EncoderConfig;
  readonly tokenise: (text: string) => TokenisedText;
}

/** Rejects with GVU_REWARD_MODEL for a file of another form, and as `fileProgram` and the run do. */
export async function openOnnxTowers(
  path: string,
  { runtime, config, tokenise }: OnnxTowersOptions,
): Promise<OnnxTowers> {
  const program = await fileProgram(path);
  checkForm(path, program);
  const fingerprint = await fingerprintOf(path, program);
  const masked = program.inputs.some(({ name }) => name === 'attention_mask');
  const { side } = config.vision;

  const run = async (pixels: Float32Array, { ids, end }: TokenisedText, signal?: AbortSignal) => {
    const session = await runtime.cached(`onnx encoder ${fingerprint}`, () => program);
    const shape = [1, ids.length];
    // CLIP's padding is masked; SigLIP has no mask.
    const mask = BigInt64Array.from(ids, (_, i) => (i <= end ? 1n : 0n));
    return await session.run<(typeof outputs)[number]>(
      {
        pixel_values: { dtype: 'float32', shape: [1, 3, side, side], data: pixels },
        input_ids: { dtype: 'int64', shape, data: ids },
        ...(masked && { attention_mask: { dtype: 'int64', shape, data: mask } }),
      },
      signal ? { signal } : {},
    );
  };
  const [blank, anything] = [new Float32Array(3 * side * side), tokenise('a')];

  const pairs: { cosine: number; logit: number }[] = [];
  for (const [i, words] of ['a', 'two red cubes', 'a photo of the sea', 'no'].entries()) {
    const picture = blank.map((_, k) => Math.sin((i + 1) * k));
    const out = await run(picture, tokenise(words));
    pairs.push({ cosine: cosine(out.image_embeds, out.text_embeds), logit: toNumbers(out.logits_per_image)[0] ?? 0 });
  }
  return {
    fingerprint,
    ...lineThrough(pairs, config),
    image: async (pixels, signal) => Float32Array.from(toNumbers((await run(pixels, anything, signal)).image_embeds)),
    text: async (text, signal) => Float32Array.from(toNumbers((await run(blank, text, signal)).text_embeds)),
  };
}

function checkForm(path: string, program: Program): void {
  const [given, made] = [program.inputs, program.outputs].map((values) => values.map(({ name }) => name));
  const problems = [
    ...inputs
      .slice(0, 2)
      .filter((name) => !given?.includes(name))
      .map((name) => `it has no input '${name}'`),
    ...(given ?? []).filter((name) => !inputs.includes(name)).map((name) => `nothing is known to feed to '${name}'`),
    ...outputs.filter((name) => !made?.includes(name)).map((name) => `it has no output '${name}'`),
  ];
  if (problems.length === 0) return;
  throw rewardErrors.error('GVU_REWARD_MODEL', `'${path}' cannot be used: ${problems.join('; ')}.`, {
    hint: 'Take the file of the whole model, both towers in one, such as onnx/model.onnx.',
    details: { problems },
  });
}

async function fingerprintOf(path: string, { model }: Program): Promise<string> {
  const hash = createHash('sha256').update(model);
  for (const name of readModel(model).externalFiles.toSorted())
    for await (const part of createReadStream(join(dirname(path), name))) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}

/** The slope by least squares; without a bias (CLIP) through the origin. */
function lineThrough(
  pairs: readonly { readonly cosine: number; readonly logit: number }[],
  { family }: EncoderConfig,
): { scale: number; bias: number } {
  const mean = (of: (pair: (typeof pairs)[number]) => number) =>
    family === 'clip' ? 0 : pairs.reduce((sum, pair) => sum + of(pair), 0) / pairs.length;
  const [x, y] = [mean(({ cosine: value }) => value), mean(({ logit }) => logit)];
  const sum = (of: (dx: number, dy: number) => number) =>
    pairs.reduce((total, pair) => total + of(pair.cosine - x, pair.logit - y), 0);
  const scale = sum((dx, dy) => dx * dy) / sum((dx) => dx * dx);
  return { scale, bias: y - scale * x };
}

function cosine(a: TensorData, b: TensorData): number {
  const [left, right] = [toNumbers(a), toNumbers(b)];
  const dot = left.reduce((sum, value, i) => sum + value * (right[i] ?? 0), 0);
  return dot / (Math.hypot(...left) * Math.hypot(...right));
}
