/** Images of one size side by side as DPG-Bench crops them apart again: two columns, by rows; one image stays as it is. */
import type { Pixels } from '@gvu/models';

/** Throws RangeError for images of different sizes. */
export function grid(images: readonly Pixels[]): Pixels {
  const [first] = images;
  if (!first) throw new RangeError('A grid needs an image.');
  if (images.length === 1) return first;
  const { width, height } = first;
  const wide = 2 * width;
  const high = height * Math.ceil(images.length / 2);
  const data = new Uint8Array(3 * wide * high);
  for (const [i, image] of images.entries()) {
    if (image.width !== width || image.height !== height) throw new RangeError('The images of a grid differ in size.');
    const [left, top] = [(i % 2) * width, Math.floor(i / 2) * height];
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * wide + left));
    }
  }
  return { width: wide, height: high, data };
}
