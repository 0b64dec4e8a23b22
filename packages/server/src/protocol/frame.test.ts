import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, type ImageFrame } from './frame.ts';

/** Golden frames, which clients in other languages can be tested with too. */
const vectors: readonly {
  readonly hex: string;
  readonly frame: Omit<ImageFrame, 'bytes'> & { readonly payload: string };
}[] = JSON.parse(readFileSync(new URL('../../test/frame-vectors.json', import.meta.url), 'utf8'));

test.each(vectors)('golden frame %#', ({ hex, frame: { payload, ...header } }) => {
  const bytes = new TextEncoder().encode(payload);
  expect(Buffer.from(encodeFrame({ ...header, bytes })).toString('hex')).toBe(hex);
  expect(decodeFrame(Buffer.from(hex, 'hex'))).toEqual({ ...header, bytes: Buffer.from(bytes) });
});

test('what was written is read again', () => {
  fc.assert(
    fc.property(
      fc.record({
        kind: fc.constantFrom<ImageFrame['kind']>('event', 'result'),
        thumbnail: fc.boolean(),
        media: fc.constantFrom<ImageFrame['media']>(
          'image/png',
          'image/jpeg',
          'image/webp',
          'application/octet-stream',
        ),
        id: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        index: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        offset: fc.maxSafeNat(),
        timeMs: fc.integer({ min: 0, max: 4e12 }),
        seq: fc.maxSafeNat(),
        sha256: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 }),
        bytes: fc.uint8Array({ maxLength: 50 }),
      }),
      (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
      },
    ),
    { seed: 5 },
  );
});

test('what is no frame is none, and a longer header is skipped', () => {
  const [{ hex } = { hex: '' }] = vectors;
  const frame = () => Buffer.from(hex, 'hex');
  const changed = (at: number, value: number) => {
    const bytes = frame();
    bytes[at] = value;
    return bytes;
  };
  expect(decodeFrame(frame().subarray(0, 71))).toBeUndefined();
  expect(decodeFrame(changed(0, 2))).toBeUndefined();
  expect(decodeFrame(changed(1, 0))).toBeUndefined();
  expect(decodeFrame(changed(1, 9))).toBeUndefined();
  expect(decodeFrame(changed(4, 71))).toBeUndefined();
  expect(decodeFrame(changed(7, 255))).toBeUndefined();
  expect(decodeFrame(changed(4, 73))?.bytes).toEqual(frame().subarray(73));
});
