/**
 * PNG to pixels and back, and thumbnails. What strangers send is measured before it is unpacked: a small file may claim, or
 * unpack to, gigabytes.
 */
import { inflateSync } from 'node:zlib';
import type { Pixels } from '@gvu/models';
import { decode, encode } from 'fast-png';
import { serverErrors } from '../errors.ts';

const maxSide = 4096;
const thumbnailSide = 128;

export function encodePng({ width, height, data }: Pixels): Uint8Array {
  return encode({ width, height, data, channels: 3, depth: 8 });
}

/**
 * The pixels of a PNG: grey or colour, 8 or 16 bits, transparency left out.
 * @throws GVU_SERVER_IMAGE
 */
export function decodePng(bytes: Uint8Array): Pixels {
  try {
    const { width, height, data, channels, depth, palette } = decode(essence(bytes));
    if (palette || (depth !== 8 && depth !== 16))
      throw new Error(`its colours are ${palette ? 'a palette' : `of ${depth} bits`}`);
    const shift = depth - 8;
    const rgb = new Uint8Array(3 * width * height);
    const grey = channels < 3;
    for (let pixel = 0; pixel < width * height; pixel++) {
      for (let c = 0; c < 3; c++) rgb[3 * pixel + c] = (data[channels * pixel + (grey ? 0 : c)] ?? 0) >> shift;
    }
    return { width, height, data: rgb };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw serverErrors.error('GVU_SERVER_IMAGE', `The picture cannot be used: ${reason}.`, {
      hint: `Give a PNG of at most ${maxSide} pixels a side.`,
      cause,
    });
  }
}

/** The picture, at most 128 pixels a side: means of whole blocks of pixels. */
export function thumbnailOf(png: Uint8Array): Uint8Array {
  const { width, height, data } = decodePng(png);
  const block = Math.ceil(Math.max(width, height) / thumbnailSide);
  if (block <= 1) return png;
  const small = { width: Math.ceil(width / block), height: Math.ceil(height / block) };
  const out = new Uint8Array(3 * small.width * small.height);
  for (let y = 0; y < small.height; y++) {
    const rows = Math.min(block, height - y * block);
    for (let x = 0; x < small.width; x++) {
      const columns = Math.min(block, width - x * block);
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let dy = 0; dy < rows; dy++) {
          const row = 3 * ((y * block + dy) * width + x * block) + c;
          for (let dx = 0; dx < columns; dx++) sum += data[row + 3 * dx] ?? 0;
        }
        out[3 * (y * small.width + x) + c] = Math.round(sum / (rows * columns));
      }
    }
  }
  return encodePng({ ...small, data: out });
}

/**
 * The chunks of a PNG that make its pixels. Throws when it is too large, or unpacks to more than its size allows; other chunks
 * may be packed too, and are left out.
 */
function essence(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 33 || file.toString('latin1', 1, 4) !== 'PNG') throw new Error('it is no PNG');
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  if (width < 1 || height < 1 || width > maxSide || height > maxSide)
    throw new Error(`it has ${width} x ${height} pixels`);
  const kept = [file.subarray(0, 8)];
  const packed: Buffer[] = [];
  for (let at = 8; at + 12 <= file.length; ) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'IDAT') packed.push(file.subarray(at + 8, at + 8 + length));
    if (/^[A-Z]/.test(type)) kept.push(file.subarray(at, at + 12 + length));
    at += 12 + length;
  }
  // Four channels of 16 bits, and the filter byte of each row, of which interlacing makes at most twice as many.
  inflateSync(Buffer.concat(packed), { maxOutputLength: 8 * width * height + 2 * height + 64 });
  return Buffer.concat(kept);
}
