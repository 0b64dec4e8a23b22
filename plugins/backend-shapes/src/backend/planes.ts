/** Between the pixels of GvU, channels adjacent, and those of the world, one plane after the other. */
import { modelErrors, type Pixels } from '@gvu/models';
import { imageSide, imageSize } from '../world/index.ts';
import { planeSize } from '../world/pixels.ts';

/** Planes [3, 64, 64] of an image. Throws GVU_MODEL_IMAGE for any other size. */
export function toPlanes({ width, height, data }: Pixels): Uint8Array {
  if (width !== imageSide || height !== imageSide || data.length !== imageSize) {
    throw modelErrors.error(
      'GVU_MODEL_IMAGE',
      `The image is ${width} x ${height} pixels of ${data.length} bytes, not ${imageSide} x ${imageSide} of ${imageSize}.`,
      { hint: `The world of shapes has images of ${imageSide} x ${imageSide} pixels in RGB; give one of that size.` },
    );
  }
  return Uint8Array.from({ length: imageSize }, (_, i) => data[3 * (i % planeSize) + Math.floor(i / planeSize)] ?? 0);
}

/** The opposite. */
export function fromPlanes(planes: Uint8Array): Pixels {
  const data = Uint8Array.from({ length: imageSize }, (_, i) => planes[(i % 3) * planeSize + Math.floor(i / 3)] ?? 0);
  return { width: imageSide, height: imageSide, data };
}
