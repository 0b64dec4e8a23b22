/**
 * Pictures of drawings without the networks of the image tokenizer: a patch of one colour for each token, made of its code, so that like
 * codes have like colours. It is a sketch of where what is, and nothing can be read from it: there is no `see`.
 */
import type { ImageCodec } from '@gvu/models';
import { readTensor, type SafetensorsEntry, toNumbers } from '@gvu/onnx';

/** Pixels along each side of what a token stands for. */
export const pixelsPerToken = 8;

/** `codebook` is [codes, codeWidth]: its first three numbers become red, green and blue. */
export async function createImageCodec(
  codebook: SafetensorsEntry,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Promise<ImageCodec> {
  const colours = coloursOf(toNumbers(await readTensor(codebook)), codebook.shape[1] ?? 1);
  const [width, height] = [columns * pixelsPerToken, rows * pixelsPerToken];
  return {
    decode: async (drawings) =>
      drawings.map(({ tokens }) => {
        const data = new Uint8Array(3 * width * height);
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const place = Math.floor(y / pixelsPerToken) * columns + Math.floor(x / pixelsPerToken);
            const colour = 3 * (tokens[place] ?? 0);
            data.set(colours.subarray(colour, colour + 3), 3 * (y * width + x));
          }
        return { width, height, data };
      }),
  };
}

/** Three bytes for each code; the largest number of the codebook is full, its opposite dark. */
function coloursOf(codes: readonly number[], codeWidth: number): Uint8Array {
  const largest = codes.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  const channel = (value: number) => Math.round(127.5 * (1 + value / largest));
  return Uint8Array.from({ length: 3 * (codes.length / codeWidth) }, (_, i) =>
    channel(codes[Math.floor(i / 3) * codeWidth + Math.min(i % 3, codeWidth - 1)] ?? 0),
  );
}
