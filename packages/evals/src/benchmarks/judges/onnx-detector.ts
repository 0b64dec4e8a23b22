/**
 * A detector as an ONNX file, of the form in which the DETR family is exported (DETR, YOLOS and kin):
 *
 *   pixel_values [1, 3, H, W]  (pixel_mask [1, H, W], all ones)  ->  logits [1, N, C] or [1, N, C + 1], pred_boxes [1, N, 4]
 *
 * Boxes are centre and size as shares of the picture. With a logit more than there are names the last is "nothing", and softmax gives
 * confidences; with as many, sigmoid. An object has its likeliest name. Beside the file lie config.json with `id2label`, and
 * preprocessor_config.json.
 *
 * Colours are told as GenEval does it, by CLIP among ten words with three templates, of the object's box: GenEval's own detector gives masks
 * and hides what is outside them in grey, which boxes cannot do. Results name the judge.
 *
 * Sources: post_process_object_detection of transformers 5.18; evaluate_images.py of djghosh13/geneval @ af4902f.
 */
import { isRecord } from '@gvu/core';
import { type Pixels, readModelJson } from '@gvu/models';
import { type Runtime, type TensorData, toNumbers } from '@gvu/onnx';
import { openEncoder } from '@gvu/rewards';
import type { Box, Detection, Judge } from '../judge.ts';
import { openOnnxModel, openPictures, unfit } from './onnx-model.ts';

export interface OnnxDetectorOptions {
  readonly model: string;
  readonly file: string;
  readonly least: number;
  readonly colors?: string;
}

/** What GenEval calls three kinds of things, and COCO otherwise. */
const otherNames: Readonly<Record<string, string>> = {
  'computer mouse': 'mouse',
  'tv remote': 'remote',
  'computer keyboard': 'keyboard',
};

/** Rejects with GVU_BENCHMARK_JUDGE, and as opening files and CLIP does. */
export async function onnxDetector(options: OnnxDetectorOptions, { runtime }: { runtime: Runtime }): Promise<Judge> {
  const { model: folder, file, least, colors } = options;
  const { program, fingerprint } = await openOnnxModel(folder, {
    file,
    inputs: ['pixel_values'],
    optional: ['pixel_mask'],
    outputs: ['logits', 'pred_boxes'],
  });
  const config = await readModelJson(folder, 'config.json');
  const names = labelsOf(config, folder);
  const prepare = await openPictures(folder, { multiple: config.model_type === 'yolos' ? 16 : 1 });
  const tell = colors === undefined ? undefined : await colorTeller(colors, runtime);
  const masked = program.inputs.some(({ name }) => name === 'pixel_mask');
  return {
    name: 'onnx-detector',
    version: [`1 ${fingerprint}`, ...(tell ? [`colours by ${tell.version}`] : [])].join(' '),
    async detect(images, { signal }) {
      const session = await runtime.cached(`detector ${fingerprint}`, () => program);
      const all: Detection[][] = [];
      for (const { pixels, classes } of images) {
        const shown = prepare(pixels);
        const feeds = { pixel_values: shown, ...(masked && { pixel_mask: ones([1, ...shown.shape.slice(2)]) }) };
        const out = await session.run<'logits' | 'pred_boxes'>(feeds, { signal });
        const wanted = new Map(classes.map((name) => [otherNames[name] ?? name, name]));
        const found = objectsOf(out, { names, size: pixels, source: folder }).flatMap((seen): Detection[] => {
          const name = wanted.get(seen.class);
          return name !== undefined && seen.confidence > least ? [{ ...seen, class: name }] : [];
        });
        all.push(tell ? await tell.colors(pixels, found, signal) : found);
      }
      return all;
    },
  };
}

/** Names by id; ids without a name have none. */
function labelsOf({ id2label }: Readonly<Record<string, unknown>>, folder: string): readonly string[] {
  if (!isRecord(id2label) || Object.keys(id2label).length === 0) throw unfit(folder, 'its config.json has no id2label');
  return Object.keys(id2label).map((_, id) => String(id2label[id] ?? ''));
}

interface Seen {
  readonly names: readonly string[];
  readonly size: Pick<Pixels, 'width' | 'height'>;
  readonly source: string;
}

/** An object for each of the N places, whatever its confidence. */
export function objectsOf(
  { logits, pred_boxes: boxes }: Readonly<Record<'logits' | 'pred_boxes', TensorData>>,
  { names, size, source }: Seen,
): readonly Detection[] {
  const [, places = 0, width = 0] = logits.shape;
  const [scores, corners] = [toNumbers(logits), toNumbers(boxes)];
  const hasNothing = width === names.length + 1;
  if (!hasNothing && width !== names.length) throw unfit(source, `it gives ${width} logits for ${names.length} names`);
  return Array.from({ length: places }, (_, place) => {
    const row = scores.slice(place * width, (place + 1) * width);
    const confidences = (hasNothing ? softmax(row) : row.map((value) => 1 / (1 + Math.exp(-value)))).slice(
      0,
      names.length,
    );
    const confidence = Math.max(...confidences);
    const [x = 0, y = 0, wide = 0, high = 0] = corners.slice(4 * place, 4 * place + 4);
    return {
      class: names[confidences.indexOf(confidence)] ?? '',
      confidence,
      box: {
        left: (x - wide / 2) * size.width,
        top: (y - high / 2) * size.height,
        right: (x + wide / 2) * size.width,
        bottom: (y + high / 2) * size.height,
      },
    };
  });
}

export function softmax(values: readonly number[]): readonly number[] {
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

function ones(shape: readonly number[]): TensorData {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return { dtype: 'int64', shape: [...shape], data: new BigInt64Array(length).fill(1n) };
}

const colorWords = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black', 'white'];

/** The likeliest colour of what is in each box. */
async function colorTeller(folder: string, runtime: Runtime) {
  const encoder = await openEncoder(folder, { runtime, fitting: 'crop-torchvision' });
  const known = new Map<string, readonly Float32Array[]>();
  /** For each colour the mean of its sentences, of length 1. */
  const wordsFor = async (name: string, signal: AbortSignal) => {
    const ready = known.get(name);
    if (ready) return ready;
    const means: Float32Array[] = [];
    for (const color of colorWords) {
      const sentences = [`${color} ${name}`, `${color}-colored ${name}`, `${color} object`];
      const read = await encoder.texts(
        sentences.map((words) => `a photo of a ${words}`),
        { signal },
      );
      means.push(unit(read));
    }
    known.set(name, means);
    return means;
  };
  return {
    version: encoder.version,
    async colors(pixels: Pixels, found: readonly Detection[], signal: AbortSignal): Promise<Detection[]> {
      const named: Detection[] = [];
      for (const seen of found) {
        const part = cropped(pixels, seen.box);
        if (!part) {
          named.push(seen);
          continue;
        }
        const words = await wordsFor(seen.class, signal);
        const [picture = new Float32Array()] = await encoder.images([part], { signal });
        const cosines = words.map((word) => word.reduce((sum, value, i) => sum + value * (picture[i] ?? 0), 0));
        named.push({ ...seen, color: colorWords[cosines.indexOf(Math.max(...cosines))] ?? '' });
      }
      return named;
    },
  };
}

function unit(rows: readonly Float32Array[]): Float32Array {
  const sum = Float32Array.from(rows[0] ?? [], (_, i) => rows.reduce((total, row) => total + (row[i] ?? 0), 0));
  const length = Math.hypot(...sum);
  return sum.map((value) => value / length);
}

/** What is in a box, in whole pixels as Pillow rounds them, half to even; undefined when that is nothing. */
export function cropped({ width, height, data }: Pixels, box: Box): Pixels | undefined {
  const within = (value: number, most: number) => Math.min(Math.max(roundHalfEven(value), 0), most);
  const [left, top] = [within(box.left, width), within(box.top, height)];
  const [right, bottom] = [within(box.right, width), within(box.bottom, height)];
  if (right <= left || bottom <= top) return undefined;
  const rows = Array.from({ length: bottom - top }, (_, y) =>
    data.subarray(3 * ((top + y) * width + left), 3 * ((top + y) * width + right)),
  );
  return { width: right - left, height: bottom - top, data: Uint8Array.from(rows.flatMap((row) => [...row])) };
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
