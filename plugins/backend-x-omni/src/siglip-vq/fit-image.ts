/**
 * The size in which X-Omni's image tokenizer looks at a picture: the short side enlarged to a least length, the long side then brought
 * down to a greatest, both rounded to whole patches; Pillow's bicubic in between. Source: the released checkpoint's transform.
 */
import { modelErrors, type Pixels, resizeBicubic } from '@gvu/models';
import type { ImageSizes } from '../config.ts';

/** The size that a picture is brought to; undefined when it is refused: too small, or too long for its width. */
export function targetSize(
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  { shortest, longest, patch, least, aspect }: ImageSizes,
): { width: number; height: number } | undefined {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (!(short >= least && long / short <= aspect)) return undefined;
  // In steps, as the reference takes them: each rounds in float64.
  let size = { width, height };
  const scaled = (factor: number) => ({ width: size.width * factor, height: size.height * factor });
  if (Math.min(size.width, size.height) < shortest) size = scaled(shortest / Math.min(size.width, size.height));
  if (Math.max(size.width, size.height) > longest) size = scaled(longest / Math.max(size.width, size.height));
  return { width: toPatches(size.width, patch), height: toPatches(size.height, patch) };
}

/** A picture in that size. Throws GVU_MODEL_IMAGE. */
export function fitImage(image: Pixels, sizes: ImageSizes): Pixels {
  const { width, height, data } = image;
  const isWhole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  const target = isWhole && data.length === 3 * width * height ? targetSize(image, sizes) : undefined;
  if (target) return resizeBicubic(image, target);
  throw modelErrors.error(
    'GVU_MODEL_IMAGE',
    `An image of ${width} x ${height} with ${data.length} bytes cannot be shown.`,
    {
      hint: `Give RGB with 3 bytes a pixel, the short side from ${sizes.least} pixels and the long one at most ${sizes.aspect} times that.`,
    },
  );
}

/** The nearest multiple of a patch; of two as near, that of an even number of patches, as Python rounds. */
function toPatches(length: number, patch: number): number {
  const exact = length / patch;
  const low = Math.floor(exact);
  const isHalf = exact - low === 0.5;
  return (isHalf ? low + (low % 2) : Math.round(exact)) * patch;
}
