/**
 * Images of the world: bytes of red, green and blue planes, [3, 64, 64], row by row; and floats for networks.
 *
 * Every part of the world takes and gives bytes, since those are what a saved image has.
 */
import { shapesErrors } from '../errors.ts';
import { imageSide } from './world.ts';

/** Pixels of one plane. */
export const planeSize = imageSide * imageSide;
/** Values of one image. */
export const imageSize = 3 * planeSize;

/** Bytes as float32 in [-1, 1]; any shape. */
export function toFloats(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
}

/** The nearest bytes of values in [-1, 1]; values beyond are clamped, NaN becomes 0. */
export function toBytes(floats: Float32Array): Uint8Array {
  return new Uint8Array(Uint8ClampedArray.from(floats, (value) => (value + 1) * 127.5));
}

/** Throws GVU_SHAPES_PIXELS unless there are as many values as one image has. */
export function requireImage(pixels: Uint8Array): void {
  if (pixels.length === imageSize) return;
  throw shapesErrors.error('GVU_SHAPES_PIXELS', `The image has ${pixels.length} values, not ${imageSize}.`, {
    hint: `Give the red, green and blue planes of one image of ${imageSide} x ${imageSide} pixels.`,
  });
}
