/**
 * The token sequences of Emu3, where the size of an image is written in words, "rows*columns":
 *
 * Drawing:  <begin> prompt <image start> size <image token>, and then its tokens, a line end between two rows
 * Reading:  <begin> "You are a helpful assistant. USER: " image instruction ". ASSISTANT:"
 *           with image = <image start> size <image token> rows, a line end behind each, <last line end> <image end>
 *
 * Source: processing_emu3.py of transformers 5.18 and the model card. The instruction is our own.
 */
import type { SequenceBuilder, TokenGrid } from '@gvu/models';
import type { Emu3Tokens } from './tokens.ts';

export const describeInstruction = 'Describe the image.';

export function emu3Sequences(
  { tokenizer, control, firstId }: Emu3Tokens,
  { negativePrompt, ...grid }: Pick<TokenGrid, 'rows' | 'columns'> & { readonly negativePrompt: string },
): SequenceBuilder {
  const negative = negativePrompt === '' ? [] : tokenizer.encodePlain(negativePrompt);
  const opening = ({ rows, columns }: Pick<TokenGrid, 'rows' | 'columns'>) => [
    control.imageBegin,
    ...tokenizer.encode(`${rows}*${columns}`),
    control.image,
  ];
  const picture = (image: TokenGrid) => [
    ...opening(image),
    ...Array.from({ length: image.rows }, (_, row) => [
      ...Array.from(image.tokens.subarray(row * image.columns, (row + 1) * image.columns), (token) => token + firstId),
      control.lineEnd,
    ]).flat(),
    control.lastLineEnd,
    control.imageEnd,
  ];
  return {
    draw: (prompt) => [control.begin, ...tokenizer.encodePlain(prompt), ...opening(grid)],
    unconditional: () => [control.begin, ...negative, ...opening(grid)],
    read(instruction, image) {
      tokenizer.encodePlain(instruction);
      if (image && !('tokens' in image)) throw new TypeError('Emu3 is shown tokens, never features.');
      return [
        control.begin,
        ...tokenizer.encode('You are a helpful assistant. USER: '),
        ...(image ? picture(image) : []),
        ...tokenizer.encode(`${instruction}. ASSISTANT:`),
      ];
    },
    describe: describeInstruction,
    stop: [control.stop],
    padding: control.padding,
  };
}
