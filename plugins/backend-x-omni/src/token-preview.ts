/**
 * What a drawing looks like without the FLUX decoder: a patch of one colour for each token. Equal tokens have equal colours, and that
 * is all the colours say: it is no picture of what was drawn, and nothing can be read from it.
 */
import { fillIntegers, randomStream } from '@gvu/core';
import type { Pixels } from '@gvu/models';

export interface PreviewOptions {
  readonly rows: number;
  readonly columns: number;
  /** Pixels of a patch's side. */
  readonly patch: number;
}

export function tokenPreview(tokens: Int32Array, { rows, columns, patch }: PreviewOptions): Pixels {
  const [width, height] = [columns * patch, rows * patch];
  const data = new Uint8Array(3 * width * height);
  const colours = new Map<number, Int32Array>();
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const token = tokens[Math.floor(y / patch) * columns + Math.floor(x / patch)] ?? 0;
      const colour = colours.get(token) ?? colourOf(token);
      colours.set(token, colour);
      data.set(colour, 3 * (y * width + x));
    }
  return { width, height, data };
}

const stream = randomStream(0, 'x-omni/token-colours');

function colourOf(token: number): Int32Array {
  const colour = new Int32Array(3);
  fillIntegers(colour, stream.at(token), { low: 32, high: 256 });
  return colour;
}
