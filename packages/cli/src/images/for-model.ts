/** Making an image into what a model can be shown, and saying so when that changes it. */
import type { Pixels } from '@gvu/models';
import { enlarge, fitTo, type Size } from './resample.ts';

export interface FittedImage {
  readonly pixels: Pixels;
  /** What was done to the image, as a sentence; undefined when nothing was lost. */
  readonly change: string | undefined;
}

/** `name` is that of the image in the sentence. */
export function fitForModel(image: Pixels, name: string, size: Size): FittedImage {
  const pixels = fitTo(image, size);
  const exact = enlarge(pixels, Math.max(1, Math.round(image.width / size.width)));
  const same = exact.width === image.width && exact.height === image.height;
  if (same && Buffer.compare(exact.data, image.data) === 0) return { pixels, change: undefined };
  const cropped = image.width * size.height !== image.height * size.width;
  const change = `'${name}' has ${image.width} x ${image.height} pixels; the model sees ${cropped ? 'its middle' : 'it'} as ${size.width} x ${size.height}.`;
  return { pixels, change };
}
