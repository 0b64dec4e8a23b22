/** What judges that are ONNX files share: the file, who it is, and pictures as its preprocessor_config.json asks for them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from '@gvu/core';
import { type Pixels, readModelJson, resizeBicubic, resizeBilinear } from '@gvu/models';
import { fileProgram, type Program, readModel, type TensorData } from '@gvu/onnx';
import { evalsErrors } from '../../errors.ts';

export interface OnnxModel {
  readonly program: Program;
  /** Changes with any byte of the model or its weights. */
  readonly fingerprint: string;
}

/**
 * A model of a directory, known to have these inputs (others that it has are named in `optional`) and outputs. Rejects with
 * GVU_BENCHMARK_JUDGE, and as `fileProgram` does.
 */
export async function openOnnxModel(
  folder: string,
  { file, inputs, optional, outputs }: { file: string; inputs: string[]; optional: string[]; outputs: string[] },
): Promise<OnnxModel> {
  const program = await fileProgram(join(folder, file));
  const [given, made] = [program.inputs, program.outputs].map((values) => values.map(({ name }) => name));
  const problems = [
    ...inputs.filter((name) => !given?.includes(name)).map((name) => `it has no input '${name}'`),
    ...(given ?? [])
      .filter((name) => ![...inputs, ...optional].includes(name))
      .map((name) => `nothing is known to feed to '${name}'`),
    ...outputs.filter((name) => !made?.includes(name)).map((name) => `it has no output '${name}'`),
  ];
  if (problems.length > 0) throw unfit(join(folder, file), problems.join('; '));
  const hash = createHash('sha256').update(program.model);
  for (const name of readModel(program.model).externalFiles.toSorted())
    for await (const part of createReadStream(join(folder, file, '..', name))) hash.update(part);
  return { program, fingerprint: hash.digest('hex').slice(0, 16) };
}

export function unfit(source: string, why: string): Error {
  return evalsErrors.error('GVU_BENCHMARK_JUDGE', `'${source}' cannot judge: ${why}.`, {
    hint: 'The guide on benchmarks says what a judge as an ONNX file has to be like.',
  });
}

const side = { type: 'integer', minimum: 1 } as const;
const preprocessorFile = defineConfig({
  type: 'object',
  required: ['size', 'image_mean', 'image_std'],
  properties: {
    do_resize: { const: true, default: true },
    size: {
      type: 'object',
      properties: { height: side, width: side, shortest_edge: side, longest_edge: side },
    },
    // Pillow's bilinear and bicubic.
    resample: { enum: [2, 3], default: 2 },
    do_rescale: { const: true, default: true },
    rescale_factor: { type: 'number', exclusiveMinimum: 0, default: 1 / 255 },
    do_normalize: { const: true, default: true },
    do_center_crop: { const: false, default: false },
    image_mean: { type: 'array', items: { type: 'number' }, minItems: 3, maxItems: 3 },
    image_std: { type: 'array', items: { type: 'number', exclusiveMinimum: 0 }, minItems: 3, maxItems: 3 },
  },
});

/**
 * Pictures as `pixel_values` [1, 3, H, W]: squeezed to a height and width, or resized to the shortest edge, with the longest as a limit.
 * `multiple`: sides are made smaller to a multiple of it. Rejects with what reading the file rejects with, GVU_BENCHMARK_JUDGE for a size that it
 * does not say.
 */
export async function openPictures(
  folder: string,
  { multiple = 1 }: { multiple?: number } = {},
): Promise<(picture: Pixels) => TensorData> {
  const source = 'preprocessor_config.json';
  const {
    size,
    resample,
    rescale_factor: scale,
    image_mean: mean,
    image_std: deviation,
  } = preprocessorFile.parse(await readModelJson(folder, source), { source });
  const { height, width, shortest_edge: shortest, longest_edge: longest } = size;
  const resize = resample === 3 ? resizeBicubic : resizeBilinear;
  const target = (picture: Pixels) => {
    if (height !== undefined && width !== undefined) return { height, width };
    if (shortest !== undefined) return edges(picture, { shortest, longest, multiple });
    throw unfit(join(folder, source), 'its size has neither height and width nor shortest_edge');
  };
  return (picture) => {
    const { height: high, width: wide, data } = resize(picture, target(picture));
    const count = high * wide;
    const values = Float32Array.from({ length: 3 * count }, (_, i) => {
      const channel = Math.floor(i / count);
      return ((data[3 * (i % count) + channel] ?? 0) * scale - (mean[channel] ?? 0)) / (deviation[channel] ?? 1);
    });
    return { dtype: 'float32', shape: [1, 3, high, wide], data: values };
  };
}

/** As `get_size_with_aspect_ratio` of transformers 5.18. */
function edges(
  { height, width }: Pixels,
  { shortest, longest, multiple }: { shortest: number; longest: number | undefined; multiple: number },
): { height: number; width: number } {
  const [low, high] = [Math.min(height, width), Math.max(height, width)];
  const limited = longest !== undefined && (high / low) * shortest > longest ? (longest * low) / high : undefined;
  const small = limited === undefined ? shortest : Math.round(limited);
  const other = (own: number) => (low === small ? own : Math.trunc(((limited ?? small) * own) / low));
  const fit = (own: number) => {
    const length = own === low ? small : other(own);
    return length - (length % multiple);
  };
  return { height: fit(height), width: fit(width) };
}
