/**
 * Changing the size of images, without any guessing: enlarging repeats pixels, shrinking averages exactly what a pixel covers, so that an
 * enlarged image shrinks to the same bytes again.
 */
import type { Pixels } from '@gvu/models';

/** Every pixel `factor` × `factor` times; a whole number from 1. */
export function enlarge({ width, height, data }: Pixels, factor: number): Pixels {
  const wide = width * factor;
  const enlarged = new Uint8Array(3 * wide * height * factor);
  for (let y = 0; y < height * factor; y++) {
    for (let x = 0; x < wide; x++) {
      const from = 3 * (Math.floor(y / factor) * width + Math.floor(x / factor));
      enlarged.set(data.subarray(from, from + 3), 3 * (y * wide + x));
    }
  }
  return { width: wide, height: height * factor, data: enlarged };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The largest part of the image, in its middle, that has the shape of `size`, in that size. */
export function fitTo(image: Pixels, size: Size): Pixels {
  return resizeArea(centreCrop(image, size), size);
}

/** The whole image in the middle of a ground of grey, in that size: for questions, whose answer may stand at the edge. */
export function padTo(image: Pixels, size: Size): Pixels {
  const scale = Math.max(image.width / size.width, image.height / size.height);
  const width = Math.max(image.width, Math.round(size.width * scale));
  const height = Math.max(image.height, Math.round(size.height * scale));
  const data = new Uint8Array(3 * width * height).fill(127);
  const [left, top] = [Math.floor((width - image.width) / 2), Math.floor((height - image.height) / 2)];
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(3 * y * image.width, 3 * (y + 1) * image.width);
    data.set(row, 3 * ((top + y) * width + left));
  }
  return resizeArea({ width, height, data }, size);
}

/** The largest part, in the middle, whose sides are to each other as those of `shape`. */
export function centreCrop(image: Pixels, shape: Size): Pixels {
  const scale = Math.min(image.width / shape.width, image.height / shape.height);
  const width = Math.max(1, Math.round(shape.width * scale));
  const height = Math.max(1, Math.round(shape.height * scale));
  const [left, top] = [Math.floor((image.width - width) / 2), Math.floor((image.height - height) / 2)];
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}

/** Each new pixel is the mean of the area that it covers in the old image, rounded to the nearest value. */
export function resizeArea(image: Pixels, { width, height }: Size): Pixels {
  if (image.width === width && image.height === height) return image;
  const columns = spans(image.width, width);
  const rows = spans(image.height, height);
  const data = new Uint8Array(3 * width * height);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        let area = 0;
        for (const [i, high] of row) {
          for (const [j, wide] of column) {
            sum += high * wide * (image.data[3 * (i * image.width + j) + channel] ?? 0);
            area += high * wide;
          }
        }
        data[3 * (y * width + x) + channel] = Math.round(sum / area);
      }
    });
  });
  return { width, height, data };
}

/**
 * For each of `to` places, which of `from` places it covers and how much of each, in units of 1 / to: whole numbers, so that sums of
 * bytes are exact.
 */
function spans(from: number, to: number): readonly (readonly (readonly [place: number, part: number])[])[] {
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * from, (i + 1) * from];
    const first = Math.floor(start / to);
    const last = Math.ceil(end / to) - 1;
    return Array.from({ length: last - first + 1 }, (_, k) => {
      const place = first + k;
      return [place, Math.min(end, (place + 1) * to) - Math.max(start, place * to)] as const;
    });
  });
}
