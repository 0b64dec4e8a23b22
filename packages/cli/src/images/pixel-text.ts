/**
 * Text as pixels, for labels of pictures: a font of 7 pixels, whose glyphs have ASCII's printable characters. Letters with accents lose
 * them, other characters become question marks.
 */
import type { Pixels } from '@gvu/models';
import { fonts, renderPixels } from 'js-pixel-fonts';

/** From one line to the next, in pixels: 9 of the font with its descenders, and room. */
const lineHeight = 11;

export interface TextOptions {
  /** Of the image, in pixels. */
  readonly width: number;
  /** The last of so many lines ends in dots if there is more. */
  readonly mostLines: number;
}

/** The text in black on white, broken into lines between words where that is possible. */
export function textImage(text: string, { width, mostLines }: TextOptions): Pixels {
  const lines = broken(printable(text), width);
  if (lines.length > mostLines) {
    lines.length = mostLines;
    let last = lines.pop() ?? '';
    while (last !== '' && textWidth(`${last}...`) > width) last = last.slice(0, -1);
    lines.push(`${last.trimEnd()}...`);
  }
  const height = lines.length * lineHeight;
  const data = new Uint8Array(3 * width * height).fill(255);
  for (const [i, line] of lines.entries()) {
    for (const [y, row] of renderPixels(line, fonts.sevenPlus).entries()) {
      for (const [x, ink] of row.slice(0, width).entries()) {
        const at = 3 * ((i * lineHeight + y) * width + x);
        if (ink === 1) data.fill(0, at, at + 3);
      }
    }
  }
  return { width, height, data };
}

function broken(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(...pieces(word, width));
  }
  return lines;
}

/** A word in parts that fit; at least one character each. */
function pieces(word: string, width: number): string[] {
  const parts: string[] = [];
  let from = 0;
  while (from < word.length) {
    let to = from + 1;
    let used = textWidth(word.charAt(from));
    while (to < word.length && used + textWidth(word.charAt(to)) <= width) used += textWidth(word.charAt(to++));
    parts.push(word.slice(from, to));
    from = to;
  }
  return parts;
}

/** Of each character with the gap after it, which the font leaves out between some. */
const advances = new Map<string, number>();

/** At least what the text takes. */
function textWidth(text: string): number {
  let sum = 0;
  for (const character of text) {
    const known = advances.get(character);
    const advance = known ?? 1 + Math.max(...renderPixels(character, fonts.sevenPlus).map((row) => row.length));
    if (known === undefined) advances.set(character, advance);
    sum += advance;
  }
  return sum;
}

function printable(text: string): string {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').replace(/\s+/gu, ' ').trim();
  return plain.replace(/[^ -~]/gu, '?');
}
