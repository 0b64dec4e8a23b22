/**
 * A look into a PNG file before it is decoded: how large the picture claims to be, and that its data unpacks to that, no more and no
 * less. A file of a megabyte can hold data that unpacks to a gigabyte, and decoders unpack all of it.
 * PNG, third edition (W3C): 5.3 chunks, 8.1 Adam7, 11.2 IHDR.
 */
import { inflateSync } from 'node:zlib';

/** Samples of a pixel by colour type. */
const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column, first row, and steps between columns and rows of the seven passes. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Some writers leave a few bytes behind the last row, which decoders pass over. */
const slackBytes = 2 ** 16;

/** `bytes` begin with the signature of PNG. Throws an error that says what is wrong. */
export function checkPng(bytes: Buffer, maxPixels: number): void {
  if (bytes.length < 33) throw new Error('it ends within its header');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (width * height > maxPixels || width * height === 0) throw new Error(`it has ${width} x ${height} pixels`);
  const [depth = 0, colorType = 0, , , interlace = 0] = bytes.subarray(24, 29);
  const rowBytes = (columns: number) => 1 + Math.ceil((columns * (channelsOf[colorType] ?? 0) * depth) / 8);
  const expected =
    interlace === 0
      ? height * rowBytes(width)
      : adam7.reduce((sum, [left, top, right, down]) => {
          const [columns, rows] = [Math.ceil((width - left) / right), Math.ceil((height - top) / down)];
          return sum + (columns > 0 && rows > 0 ? rows * rowBytes(columns) : 0);
        }, 0);
  const found = unpackedBytes(pngData(bytes), expected + slackBytes);
  if (found < expected)
    throw new Error(`it has ${found} bytes of picture where ${width} x ${height} pixels take ${expected}`);
}

function unpackedBytes(data: Buffer, maxOutputLength: number): number {
  try {
    return inflateSync(data, { maxOutputLength }).length;
  } catch (error) {
    const tooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw new Error(tooLarge ? 'it holds more data than its size allows' : 'its data cannot be unpacked', {
      cause: error,
    });
  }
}

/** What all IDAT chunks hold, joined. */
function pngData(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return Buffer.concat(parts);
}
