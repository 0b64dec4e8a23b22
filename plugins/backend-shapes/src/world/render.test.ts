import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { background, palette } from './palette.ts';
import { imageSize, planeSize, toBytes, toFloats } from './pixels.ts';
import { renderScene } from './render.ts';
import type { Scene } from './scene.ts';
import { defineWorld, imageSide } from './world.ts';

const world = defineWorld();
const noise = randomStream(11, 'render test');
const scene: Scene = [
  { shape: 'square', color: 'red', size: 'small', column: 1, row: 2 },
  { shape: 'cross', color: 'blue', size: 'large', column: 3, row: 3 },
];

function pixel(pixels: Uint8Array, x: number, y: number): number[] {
  return [0, 1, 2].map((channel) => pixels[channel * planeSize + y * imageSide + x] ?? -1);
}

describe('renderScene', () => {
  test('fills an object in the middle of its cell with its colour and leaves the ground around it', () => {
    const pixels = renderScene(world, scene);
    expect(pixels).toHaveLength(imageSize);
    for (const [x, y] of [
      [20, 36],
      [27, 43],
      [23, 40],
    ] as const)
      expect(pixel(pixels, x, y)).toEqual([...palette.red]);
    for (const [x, y] of [
      [19, 36],
      [28, 36],
      [20, 35],
      [20, 44],
      [0, 63],
    ] as const)
      expect(pixel(pixels, x, y)).toEqual([...background]);
    expect(pixel(pixels, 56, 56)).toEqual([...palette.blue]);
    expect(pixel(pixels, 50, 50)).toEqual([...background]);
    expect(pixel(pixels, 61, 56)).toEqual([...palette.blue]);
  });

  test('adds noise of the standard deviation asked for, and nothing else', () => {
    const clean = renderScene(world, scene);
    const differences = Array.from({ length: 10 }, (_, i) => {
      const noisy = renderScene(world, scene, noise.at(i));
      return [...noisy].map((value, at) => value - (clean[at] ?? 0));
    }).flat();
    const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
    const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / differences.length;
    // 122,880 values, each rounded: standard errors 0.015 of the mean and 0.01 of the deviation.
    expect(Math.abs(mean)).toBeLessThan(0.08);
    expect(Math.sqrt(variance)).toBeGreaterThan(4.9);
    expect(Math.sqrt(variance)).toBeLessThan(5.1);
  });

  test('is a pure function of the scene and the address', () => {
    expect(renderScene(world, scene, noise.at(1))).toEqual(renderScene(world, scene, noise.at(1)));
    expect(renderScene(world, scene, noise.at(1))).not.toEqual(renderScene(world, scene, noise.at(2)));
    expect(renderScene(defineWorld({ noise: 0 }), scene, noise.at(1))).toEqual(renderScene(world, scene));
  });

  test('gives neighbouring values independent noise', () => {
    const clean = renderScene(world, []);
    const values = [...renderScene(world, [], noise.at(3))].map((value, at) => value - (clean[at] ?? 0));
    for (const lag of [1, 2, 3, 4, 5, imageSide, planeSize]) {
      const product = values.slice(lag).reduce((sum, value, at) => sum + value * (values[at] ?? 0), 0);
      // A correlation of independent values has a standard error of 1 / sqrt(n).
      expect(Math.abs(product / (values.length - lag) / 25), `lag ${lag}`).toBeLessThan(
        4.5 / Math.sqrt(values.length - lag),
      );
    }
  });
});

describe('bytes and floats', () => {
  test('are exact inverses of each other', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const floats = toFloats(bytes);
    expect([floats[0], floats[255]]).toEqual([-1, 1]);
    expect(toBytes(floats)).toEqual(bytes);
  });

  test('clamp what no byte can hold', () => {
    expect([
      ...toBytes(Float32Array.of(-7, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)),
    ]).toEqual([0, 255, 0, 255, 0]);
  });
});
