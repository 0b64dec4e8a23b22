/**
 * Images in and out of X-Omni. Pictures are shown as the codes of the image tokenizer, where the checkpoint has one; drawings become
 * pictures by a pixel decoder or, without one, previews of their tokens.
 */
import type { ImageCodec, TokenGrid } from '@gvu/models';
import { type Runtime, toNumbers } from '@gvu/onnx';
import type { ImageSizes } from './config.ts';
import type { PixelDecoder } from './pixel-decoder.ts';
import { fitImage } from './siglip-vq/fit-image.ts';
import { type CodecModel, encodeProgram } from './siglip-vq/programs.ts';
import { tokenPreview } from './token-preview.ts';

export interface ImageCodecOptions {
  readonly runtime: Runtime;
  /** Tells the weights apart from others in the same runtime. */
  readonly key: string;
  readonly grid: { readonly rows: number; readonly columns: number; readonly patch: number };
  readonly eyes: { readonly codec: CodecModel; readonly sizes: ImageSizes } | undefined;
  readonly decoder: PixelDecoder | undefined;
}

export function createImageCodec({ runtime, key, grid, eyes, decoder }: ImageCodecOptions): ImageCodec {
  const decode: ImageCodec['decode'] =
    decoder?.decode ?? (async (drawings) => drawings.map(({ tokens }) => tokenPreview(tokens, grid)));
  if (!eyes) return { decode };
  const { codec, sizes } = eyes;
  return {
    decode,
    async see(images, { signal }) {
      const seen: TokenGrid[] = [];
      for (const image of images) {
        const { width, height, data } = fitImage(image, sizes);
        const session = await runtime.cached(`${key} encode ${width} x ${height}`, () =>
          encodeProgram(codec, { width, height }),
        );
        const feeds = { pixels: { dtype: 'uint8', shape: [1, height, width, 3], data } } as const;
        const { codes } = await session.run<'codes'>(feeds, { signal });
        const [, rows = 0, columns = 0] = codes.shape;
        seen.push({ rows, columns, tokens: Int32Array.from(toNumbers(codes)) });
      }
      return seen;
    },
  };
}
