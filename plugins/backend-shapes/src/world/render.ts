/**
 * Draws a scene: flat shapes with smooth edges on a light ground, and a little noise.
 *
 * The noise of a value is uniform, of 16 levels, four bits of randomness: normal variates for each of the 3,072
 * values would cost more than everything else.
 */
import { fillUniform, type RandomAddress } from '@gvu/core';
import { background, palette } from './palette.ts';
import { imageSize, planeSize } from './pixels.ts';
import { boxOf, type Scene, type SceneObject } from './scene.ts';
import { coverage } from './shapes.ts';
import { imageSide, type World } from './world.ts';

const ground = new Uint8ClampedArray(imageSize);
background.forEach((value, channel) => {
  ground.fill(value, channel * planeSize, (channel + 1) * planeSize);
});

/**
 * The pixels of a scene, [3, 64, 64]; without `noise`, the address of its noise, as clean as the rounding allows.
 */
export function renderScene(world: World, scene: Scene, noise?: RandomAddress): Uint8Array {
  const pixels = ground.slice(); // clamped: what is written rounds to the nearest byte
  for (const object of scene) drawObject(pixels, object);
  if (noise && world.noise > 0) addNoise(pixels, { deviation: world.noise, address: noise });
  return new Uint8Array(pixels.buffer);
}

function drawObject(pixels: Uint8ClampedArray, object: SceneObject): void {
  const { x, y, width: side } = boxOf(object);
  const mask = coverage(object.shape, side);
  for (let channel = 0; channel < 3; channel++) {
    const value = palette[object.color][channel] ?? 0;
    for (let row = 0; row < side; row++) {
      const from = channel * planeSize + (y + row) * imageSide + x;
      for (let column = 0; column < side; column++) {
        const below = pixels[from + column] ?? 0;
        pixels[from + column] = below + (mask[row * side + column] ?? 0) * (value - below);
      }
    }
  }
}

const bitsPerLevel = 4;
const levels = 2 ** bitsPerLevel;
const levelsMean = (levels - 1) / 2;
const levelsDeviation = Math.sqrt((levels ** 2 - 1) / 12);
/** How many noise values one random value gives: 20 of its 23 bits. */
const perDraw = 5;

function addNoise(
  pixels: Uint8ClampedArray,
  { deviation, address }: { deviation: number; address: RandomAddress },
): void {
  const draws = new Float32Array(Math.ceil(pixels.length / perDraw));
  fillUniform(draws, address);
  const scale = deviation / levelsDeviation;
  let i = 0;
  for (const draw of draws) {
    let bits = Math.floor(draw * levels ** perDraw);
    for (let n = 0; n < perDraw && i < pixels.length; n++, i++, bits >>>= bitsPerLevel) {
      pixels[i] = (pixels[i] ?? 0) + scale * ((bits & (levels - 1)) - levelsMean);
    }
  }
}
