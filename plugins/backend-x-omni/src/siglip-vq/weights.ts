/** The two files of a SigLIP-VQ tokenizer below a checkpoint's directory: PyTorch's or safetensors, by their names. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { openTorch, type TorchFile, torchWeights, visionParameters, type WeightSource } from '@gvu/models';
import { type Graph, openSafetensors, resolveInside } from '@gvu/onnx';
import type { EncoderConfig } from '../config.ts';
import { xOmniErrors } from '../errors.ts';
import { projectorParameters, type SiglipVqConfig, siglipVqConfig } from './config.ts';

export interface SiglipVqWeights {
  readonly config: SiglipVqConfig;
  readonly files: readonly TorchFile[];
  readonly source: (graph: Graph) => WeightSource;
}

/**
 * Opens both files; undefined when neither is there. Throws GVU_XOMNI_ENCODER when one is, GVU_MODEL_WEIGHTS, GVU_TORCH_ZIP,
 * GVU_TORCH_PICKLE, and what `openSafetensors` and `resolveInside` throw. Tensors that nothing uses are left alone: the released
 * vision transformer has some.
 */
export async function openSiglipVq(directory: string, encoder: EncoderConfig): Promise<SiglipVqWeights | undefined> {
  const root = await realpath(directory);
  const names = [encoder.visionFile, encoder.projectorFile];
  const present = await Promise.all(names.map((name) => resolveInside(root, name)));
  if (present.every((path) => path === undefined)) return undefined;
  const missing = names.filter((_, i) => present[i] === undefined);
  if (missing.length > 0)
    throw xOmniErrors.error(
      'GVU_XOMNI_ENCODER',
      `'${join(directory, missing[0] ?? '')}' of the image encoder is missing.`,
      {
        hint: 'Get both files of the encoder, or none to do without it.',
      },
    );
  const [vision, projector] = await Promise.all(names.map((name) => openTensors(join(root, name))));
  if (!vision || !projector) throw new RangeError('unreachable: two files were opened');
  const config = siglipVqConfig({ vision: vision.tensors, projector: projector.tensors }, encoder);
  const sources = await Promise.all([
    torchWeights(vision, visionParameters(config.vision)),
    torchWeights(projector, projectorParameters(config)),
  ]);
  const ofVision = new Set(visionParameters(config.vision).map(({ name }) => name));
  return {
    config,
    files: [vision, projector],
    source(graph) {
      const [look, project] = sources.map((source) => source(graph));
      if (!look || !project) throw new RangeError('unreachable: there are two sources');
      return (name, shape) => (ofVision.has(name) ? look : project)(name, shape);
    },
  };
}

async function openTensors(path: string): Promise<TorchFile> {
  if (!path.endsWith('.safetensors')) return openTorch(path);
  const file = await openSafetensors(path);
  return { files: [file], tensors: file.tensors };
}
