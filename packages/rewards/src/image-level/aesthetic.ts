/**
 * LAION's aesthetic predictor: five linear layers, without activations between them, on the normalised CLIP L/14 embedding of the
 * picture; about 1 to 10. It knows nothing of the prompt, and leans to paintings and portraits: a guard rather than a goal.
 *
 * Source: christophschuhmann/improved-aesthetic-predictor @ 6934dd8 (sac+logos+ava1-l14-linearMSE.pth, or the same as safetensors).
 */
import { defineConfig } from '@gvu/core';
import { openTorch, readTorchTensor, weightsFingerprint } from '@gvu/models';
import { type Checkpoint, openCheckpoint, type TensorData, toNumbers } from '@gvu/onnx';
import { rewardErrors } from '../errors.ts';
import type { Reward, RewardDeps } from '../reward.ts';
import { rolloutInput } from '../rollout-input.ts';
import { openEncoder } from './encoder/open-encoder.ts';
import { requireRuntime } from './similarity.ts';

export const aestheticConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['model', 'head'],
  properties: {
    model: {
      type: 'string',
      minLength: 1,
      description: 'Directory of CLIP ViT-L/14, as for the reward clip-score.',
    },
    weights: {
      type: 'string',
      minLength: 1,
      description: 'File of the directory that has the weights. Default: model.safetensors or its shards.',
    },
    head: {
      type: 'string',
      minLength: 1,
      description: 'File of the predictor: what torch.save wrote (.pth), or safetensors.',
    },
    divisor: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      description: 'What the score is divided by; 10 brings it to about 0 to 1.',
    },
  },
});

export type AestheticOptions = ReturnType<typeof aestheticConfig.parse>;

/** Rejects with what `openEncoder` and opening the head reject with, GVU_REWARD_MODEL for a head that does not fit. */
export async function aesthetic(options: AestheticOptions, deps: Pick<RewardDeps, 'runtime'>): Promise<Reward> {
  const name = 'aesthetic';
  const { model, weights, head, divisor } = options;
  const encoder = await openEncoder(model, {
    runtime: requireRuntime(deps, name),
    fitting: 'crop-torchvision',
    weights,
  });
  const file = head.endsWith('.safetensors') ? await openCheckpoint(head) : await openTorch(head);
  const affine = await collapsed(file, { width: encoder.config.width, source: head });
  const version = await weightsFingerprint(file.tensors.values(), [encoder.version]);
  return {
    name,
    version: `1 weights=${version} divisor=${divisor}`,
    inputs: ['pixels'],
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    deterministic: true,
    async score(rollouts, { signal }) {
      const pictures = rollouts.map((rollout, row) => rolloutInput(rollout, 'pixels', { reward: name, row }));
      const seen = await encoder.images(pictures, { signal });
      return { values: seen.map((embedding) => affine(embedding) / divisor) };
    },
  };
}

/** Linear layers in a row are one affine map: its slope [width] and offset, from the last layer to the first. */
async function collapsed(
  { tensors }: Checkpoint,
  { width, source }: { width: number; source: string },
): Promise<(embedding: Float32Array) => number> {
  const places = [...tensors.keys()]
    .flatMap((name) => /^layers\.(\d+)\.weight$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
  let slope: readonly number[] = [1];
  let offset = 0;
  for (const place of places) {
    const read = async (part: string): Promise<TensorData | undefined> => {
      const entry = tensors.get(`layers.${place}.${part}`);
      return entry && (await readTorchTensor(entry));
    };
    const [weight, bias] = [await read('weight'), await read('bias')];
    const [out = 0, into = 0] = weight?.shape ?? [];
    if (!weight || !bias || weight.shape.length !== 2 || out !== slope.length || bias.shape.join() !== String(out))
      throw unfit(source, `layer ${place} does not follow the one after it`);
    const [w, b, later] = [toNumbers(weight), toNumbers(bias), slope];
    offset += later.reduce((sum, factor, row) => sum + factor * (b[row] ?? 0), 0);
    slope = Array.from({ length: into }, (_, column) =>
      later.reduce((sum, factor, row) => sum + factor * (w[row * into + column] ?? 0), 0),
    );
  }
  if (places.length === 0 || slope.length !== width)
    throw unfit(source, `it takes embeddings of ${places.length === 0 ? 0 : slope.length} numbers, not ${width}`);
  return (embedding) => slope.reduce((sum, factor, i) => sum + factor * (embedding[i] ?? 0), offset);
}

function unfit(source: string, why: string): Error {
  return rewardErrors.error('GVU_REWARD_MODEL', `The head in '${source}' cannot be used: ${why}.`, {
    hint: 'Get the predictor that belongs to this CLIP: of ViT-L/14, layers.0, 2, 4, 6 and 7.',
  });
}
