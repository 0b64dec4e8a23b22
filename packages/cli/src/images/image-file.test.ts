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
  const huge = Buffer.from(png);
  huge.writeUInt32BE(1_000_000, 16);
  huge.writeUInt32BE(1_000_000, 20);
  test.each([
    ['an empty file', new Uint8Array(0)],
    ['a text', Buffer.from('<svg></svg>')],
    ['a PNG cut short', png.slice(0, png.length - 20)],
    ['a PNG that ends in its header', png.slice(0, 20)],
    ['a PNG that claims a million times a million pixels', huge],
    ['a JPEG cut short', Buffer.from([0xff, 0xd8, 0xff])],
  ])('%s', async (_, bytes) => {
    await expect(readImage(await fileOf(bytes))).rejects.toMatchObject({ code: 'GVU_CLI_IMAGE' });
  });

  test('a file that is not there, a directory', async () => {
    for (const file of [join(folder, 'none.png'), folder]) {
      await expect(readImage(file)).rejects.toMatchObject({ code: 'GVU_CLI_FILE' });
    }
  });
});
