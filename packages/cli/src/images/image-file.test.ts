import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pixels } from '@gvu/models';
import { encode } from 'fast-png';
import jpeg from 'jpeg-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fitForModel } from './for-model.ts';
import { readImage, writePng } from './image-file.ts';
import { enlarge } from './resample.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-image-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function fileOf(bytes: Uint8Array): Promise<string> {
  const file = join(folder, 'image');
  await writeFile(file, bytes);
  return file;
}

const noise = (width: number, height: number): Pixels => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 97 + 13) % 256),
});

describe('PNG', () => {
  test('what is written is read, and enlarged images become what they were', async () => {
    const file = join(folder, 'drawing.png');
    const drawing = noise(32, 32);
    await writePng(file, enlarge(drawing, 8));
    const read = await readImage(file);
    expect(read).toEqual(enlarge(drawing, 8));
    expect(fitForModel(read, file, drawing)).toEqual({ pixels: drawing, change: undefined });
  });

  test.each([
    ['grey', { channels: 1, data: [0, 128, 255, 7] }, [0, 128, 255, 7]],
    ['grey with opacity', { channels: 2, data: [0, 255, 0, 0, 100, 255, 0, 128] }, [0, 255, 100, 127]],
    [
      'colour with opacity',
      { channels: 4, data: [9, 9, 9, 255, 9, 9, 9, 0, 0, 0, 0, 51, 8, 8, 8, 255] },
      [9, 255, 204, 8],
    ],
  ])('%s', async (_, { channels, data }, expected) => {
    const bytes = encode({ width: 2, height: 2, channels, depth: 8, data: Uint8Array.from(data) });
    expect([...(await readImage(await fileOf(bytes))).data]).toEqual(
      expected.flatMap((value) => [value, value, value]),
    );
  });

  test('16 bits a channel', async () => {
    const data = Uint16Array.from([0, 65_535, 32_896]);
    const bytes = encode({ width: 1, height: 1, channels: 3, depth: 16, data });
    expect([...(await readImage(await fileOf(bytes))).data]).toEqual([0, 255, 128]);
  });
});

test('an interlaced PNG', async () => {
  // 5 x 3 grey pixels, of which (x, y) is 10 y + x, in the seven passes of Adam7.
  const base64 =
    'iVBORw0KGgoAAAANSUhEUgAAAAUAAAADCAAAAAEJWqqyAAAAHklEQVR4nGNgYGBhYGIQEZNgYGRmEBVn4OLm4eUDAAY4ALVRoqZvAAAAAElFTkSuQmCC';
  const { data } = await readImage(await fileOf(Buffer.from(base64, 'base64')));
  expect([...data].filter((_, i) => i % 3 === 0)).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]);
});

test('JPEG, nearly as it was', async () => {
  const data = new Uint8Array(4 * 16 * 16).fill(200);
  const { pixels } = fitForModel(
    await readImage(await fileOf(jpeg.encode({ width: 16, height: 16, data }, 95).data)),
    'photo',
    { width: 8, height: 8 },
  );
  expect(Math.max(...pixels.data.map((value) => Math.abs(value - 200)))).toBeLessThanOrEqual(3);
});

test('what is lost is said', () => {
  const size = { width: 8, height: 8 };
  expect(fitForModel(noise(8, 8), 'x', size).change).toBeUndefined();
  expect(fitForModel(noise(16, 16), 'x', size).change).toBe("'x' has 16 x 16 pixels; the model sees it as 8 x 8.");
  expect(fitForModel(noise(16, 9), 'x', size).change).toContain('the model sees its middle as 8 x 8');
  expect(fitForModel(noise(3, 3), 'x', size).pixels).toMatchObject(size);
});

describe('what is no image', () => {
  const png = encode({ ...noise(4, 4), channels: 3 });
  const claiming = (width: number, height: number, of: Uint8Array = png) => {
    const bytes = Buffer.from(of);
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
    return bytes;
  };
  const blank = encode({ width: 2000, height: 2000, data: new Uint8Array(2000 * 2000), channels: 1 });
  test.each([
    ['an empty file', new Uint8Array(0), 'is neither a PNG nor a JPEG'],
    ['a text', Buffer.from('<svg></svg>'), 'is neither a PNG nor a JPEG'],
    ['a PNG cut short', png.slice(0, png.length - 20), 'its data cannot be unpacked'],
    ['a PNG that ends in its header', png.slice(0, 20), 'it ends within its header'],
    ['a PNG that claims a million times a million pixels', claiming(1e6, 1e6), 'it has 1000000 x 1000000 pixels'],
    ['a PNG without a pixel', claiming(0, 4), 'it has 0 x 4 pixels'],
    ['a PNG of fewer pixels than it claims', claiming(4, 5), 'it has 52 bytes of picture where 4 x 5 pixels take 65'],
    ['a PNG whose data unpacks to far more', claiming(2, 2, blank), 'it holds more data than its size allows'],
    ['a JPEG cut short', Buffer.from([0xff, 0xd8, 0xff]), 'cannot be read as an image'],
  ])('%s', async (_, bytes, message) => {
    await expect(readImage(await fileOf(bytes))).rejects.toMatchObject({
      code: 'GVU_CLI_IMAGE',
      message: expect.stringContaining(message),
    });
  });

  test('a file that is not there, a directory', async () => {
    for (const file of [join(folder, 'none.png'), folder]) {
      await expect(readImage(file)).rejects.toMatchObject({ code: 'GVU_CLI_FILE' });
    }
  });
});
