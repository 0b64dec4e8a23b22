/** Images on disk: PNG and JPEG files in, PNG files out. Their content decides what they are, not their names. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { reasonOf } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import {
  convertIndexedToRgb,
  type DecodedPng,
  decode as decodePng,
  encode as encodePng,
  hasPngSignature,
} from 'fast-png';
import jpeg from 'jpeg-js';
import { cliErrors } from '../errors.ts';
import { checkPng } from './png-data.ts';

/** More pixels than any photograph; a small file can claim more than the memory holds. */
export const maxMegapixels = 100;

/** Throws GVU_CLI_FILE, GVU_CLI_IMAGE. Transparent parts become white. */
export async function readImage(file: string): Promise<Pixels> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw fileError(file, 'read', cause);
  }
  return decodeImage(bytes, file);
}

/** The image of a file's bytes; `name` is what errors call it. Throws GVU_CLI_IMAGE. */
export function decodeImage(bytes: Buffer, name: string): Pixels {
  try {
    if (hasPngSignature(bytes)) return fromPng(bytes);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return fromJpeg(bytes);
  } catch (cause) {
    throw cliErrors.error('GVU_CLI_IMAGE', `'${name}' cannot be read as an image: ${reasonOf(cause)}.`, {
      hint: 'The file is damaged or cut short; save it anew.',
      cause,
    });
  }
  throw cliErrors.error('GVU_CLI_IMAGE', `'${name}' is neither a PNG nor a JPEG file.`, {
    hint: 'Convert it to PNG.',
  });
}

/** The bytes of a PNG file. */
export function pngBytes({ width, height, data }: Pixels): Uint8Array {
  return encodePng({ width, height, data, channels: 3, depth: 8 });
}

/** Throws GVU_CLI_FILE. */
export async function writePng(file: string, pixels: Pixels): Promise<void> {
  try {
    await writeFile(file, pngBytes(pixels));
  } catch (cause) {
    throw fileError(file, 'written', cause);
  }
}

/** With those above it. Throws GVU_CLI_FILE. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw fileError(directory, 'made', cause);
  }
}

function fileError(file: string, done: 'read' | 'written' | 'made', cause: unknown) {
  return cliErrors.error('GVU_CLI_FILE', `'${file}' cannot be ${done}: ${reasonOf(cause)}.`, {
    hint: 'Check the name, the permissions and the space on the disk.',
    cause,
  });
}

function fromPng(bytes: Buffer): Pixels {
  checkPng(bytes, maxMegapixels * 1e6);
  const png = decodePng(bytes);
  const { width, height, depth } = png;
  const { data, channels } = direct(png);
  const to8 = 255 / (2 ** (png.palette ? 8 : depth) - 1);
  const value = (i: number) => (data[i] ?? 0) * to8;
  const rgb = new Uint8Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = pixel * channels;
    const opacity = channels % 2 === 0 ? value(at + channels - 1) / 255 : 1;
    for (let channel = 0; channel < 3; channel++) {
      const color = value(at + (channels >= 3 ? channel : 0));
      rgb[3 * pixel + channel] = Math.round(color * opacity + 255 * (1 - opacity));
    }
  }
  return { width, height, data: rgb };
}

/** One number for each channel of each pixel, also where the file has a palette or packs several pixels into a byte. */
function direct(png: DecodedPng): { data: DecodedPng['data']; channels: number } {
  if (png.palette) return { data: convertIndexedToRgb(png), channels: png.palette[0]?.length ?? 3 };
  if (png.depth >= 8) return png;
  const rowBytes = Math.ceil((png.width * png.channels * png.depth) / 8);
  const data = new Uint8Array(png.width * png.height * png.channels);
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [Math.floor(i / (png.width * png.channels)), i % (png.width * png.channels)];
    const bit = column * png.depth;
    const byte = png.data[row * rowBytes + Math.floor(bit / 8)] ?? 0;
    data[i] = (byte >> (8 - png.depth - (bit % 8))) & (2 ** png.depth - 1);
  }
  return { data, channels: png.channels };
}

function fromJpeg(bytes: Buffer): Pixels {
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    maxResolutionInMP: maxMegapixels,
    maxMemoryUsageInMB: 2048,
  });
  return { width, height, data };
}
