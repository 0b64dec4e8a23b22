/**
 * Binary frames: a picture behind a header of 72 bytes, all numbers little-endian. Works in browsers.
 *
 *     0  u8   version, 1                      8  u32  id of the subscription or request
 *     1  u8   kind: 1 event, 2 result        12  u32  index: see below
 *     2  u8   flags: bit 0 = thumbnail       16  u64  offset in the channel
 *     3  u8   media: 1 PNG, 2 JPEG,          24  u64  time, nanoseconds since 1970
 *             3 WebP, 0 other                32  u64  seq in the log of the run
 *     4  u32  length of the header, 72       40  32 B SHA-256 of the whole picture
 *                                            72  the picture as a file
 *
 * A frame of kind 1 is an event of the channel `images`: `index` is that of its data. One of kind 2 belongs to a request:
 * `index` says which of its pictures, offset and seq are 0. Later versions of the header may only grow: readers skip to its length.
 */
export const HEADER_BYTES = 72;

const kinds = ['', 'event', 'result'] as const;
const medias = ['application/octet-stream', 'image/png', 'image/jpeg', 'image/webp'] as const;

export interface ImageFrame {
  readonly kind: 'event' | 'result';
  readonly thumbnail: boolean;
  readonly media: (typeof medias)[number];
  readonly id: number;
  readonly index: number;
  readonly offset: number;
  /** Milliseconds since 1970, as dates have them; a frame has nanoseconds. */
  readonly timeMs: number;
  readonly seq: number;
  /** Lower-case hexadecimal. Of the whole picture, also when `bytes` is a thumbnail. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export function encodeFrame(frame: ImageFrame): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER_BYTES + frame.bytes.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, kinds.indexOf(frame.kind));
  view.setUint8(2, frame.thumbnail ? 1 : 0);
  view.setUint8(3, medias.indexOf(frame.media));
  view.setUint32(4, HEADER_BYTES, true);
  view.setUint32(8, frame.id, true);
  view.setUint32(12, frame.index, true);
  view.setBigUint64(16, BigInt(frame.offset), true);
  view.setBigUint64(24, BigInt(Math.round(frame.timeMs)) * 1_000_000n, true);
  view.setBigUint64(32, BigInt(frame.seq), true);
  for (let i = 0; i < 32; i++) view.setUint8(40 + i, Number.parseInt(frame.sha256.slice(2 * i, 2 * i + 2), 16));
  out.set(frame.bytes, HEADER_BYTES);
  return out;
}

/** The frame in a binary message, or undefined if there is none that this version understands. */
export function decodeFrame(message: ArrayBuffer | Uint8Array): ImageFrame | undefined {
  const bytes = message instanceof Uint8Array ? message : new Uint8Array(message);
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = kinds[view.getUint8(1)];
  const headerBytes = view.getUint32(4, true);
  if (view.getUint8(0) !== 1 || !kind || headerBytes < HEADER_BYTES || headerBytes > bytes.length) return undefined;
  return {
    kind,
    thumbnail: (view.getUint8(2) & 1) === 1,
    media: medias[view.getUint8(3)] ?? medias[0],
    id: view.getUint32(8, true),
    index: view.getUint32(12, true),
    offset: Number(view.getBigUint64(16, true)),
    timeMs: Number(view.getBigUint64(24, true) / 1_000_000n),
    seq: Number(view.getBigUint64(32, true)),
    sha256: Array.from(bytes.subarray(40, 72), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    bytes: bytes.subarray(headerBytes),
  };
}

/** The media type of a picture by its file extension. */
export function mediaOf(name: string): ImageFrame['media'] {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  if (extension === 'png') return 'image/png';
  if (extension === 'jpg' || extension === 'jpeg') return 'image/jpeg';
  return extension === 'webp' ? 'image/webp' : 'application/octet-stream';
}
