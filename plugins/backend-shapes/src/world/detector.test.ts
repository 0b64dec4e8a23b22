import { fillUniform, randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { type Detection, detectObjects, sceneDetections } from './detector.ts';
import { imageSize, planeSize } from './pixels.ts';
import { renderScene } from './render.ts';
import { sampleScene } from './sample-scene.ts';
import type { Scene, SceneObject } from './scene.ts';
import { defineWorld, imageSide } from './world.ts';

const seed = 20261123;
const world = defineWorld();
const stream = randomStream(seed, 'detector test');

/** What identifies a detection, in an order that does not depend on confidence. */
function seen(detections: readonly Detection[]): unknown[] {
  return detections
    .map((detection) => `${detection.class} ${detection.color} ${JSON.stringify(detection.box)}`)
    .toSorted((a, b) => a.localeCompare(b));
}

function square(column: number, row: number, changes: Partial<SceneObject> = {}): SceneObject {
  return { shape: 'square', color: 'red', size: 'large', column, row, ...changes };
}

/** The image moved to the right and down, in pixels; none of its objects may reach a border. */
function shift(image: Uint8Array, right: number, down: number): Uint8Array {
  return image.map((_, i) => image[i - right - down * imageSide] ?? 235);
}

/** Copies the pixels of a rectangle from one image to another. */
function paste(from: Uint8Array, onto: Uint8Array, within: (x: number, y: number) => boolean): Uint8Array {
  return onto.map((value, i) => {
    const at = i % planeSize;
    return within(at % imageSide, Math.floor(at / imageSide)) ? (from[i] ?? 0) : value;
  });
}

describe(`detectObjects on drawn scenes (seed ${seed})`, () => {
  test('finds every object of the default world with its exact square, and nothing else', () => {
    const { entries } = createCatalogue(world);
    for (let i = 0; i < 600; i++) {
      const entry = entries[(i * 7919) % entries.length];
      if (!entry) throw new RangeError(`No prompt ${i}.`);
      const scene = sampleScene(world, entry.metadata, { address: stream.at(0, i) });
      const found = detectObjects(world, renderScene(world, scene, stream.at(1, i)));
      expect(seen(found), entry.metadata.prompt).toEqual(seen(sceneDetections(scene)));
      for (const { confidence } of found) expect(confidence).toBeGreaterThan(0.9);
    }
  });

  test('knows every shape in every colour of the largest world at both sizes', () => {
    const all = defineWorld({
      shapes: ['circle', 'square', 'triangle', 'cross', 'heart', 'moon', 'ring', 'star'],
      colors: ['red', 'yellow', 'green', 'blue', 'pink', 'black', 'orange', 'purple'],
    });
    for (const shape of all.shapes) {
      for (const color of all.colors) {
        const scene: Scene = [
          { shape, color, size: 'large', column: 1, row: 2 },
          { shape, color, size: 'small', column: 3, row: 3 },
        ];
        expect(seen(detectObjects(all, renderScene(all, scene, stream.at(2))))).toEqual(seen(sceneDetections(scene)));
      }
    }
  });

  test('does not need the grid of cells', () => {
    const image = renderScene(world, [square(2, 2, { shape: 'heart' })]);
    expect(detectObjects(world, shift(image, 2, 1))[0]).toMatchObject({
      class: 'heart',
      box: { x: 36, y: 35, width: 12 },
    });
  });

  test('sorts by confidence', () => {
    const clean = renderScene(world, [square(0, 0), square(3, 3)]);
    const dented = paste(renderScene(world, []), clean, (x, y) => x < 5 && y < 5);
    const [first, second] = detectObjects(world, dented);
    expect(first?.box.x).toBe(50);
    expect(second?.confidence).toBeLessThan(first?.confidence ?? 0);
  });
});

describe('detectObjects on spoilt images', () => {
  test('finds nothing on empty, full and random ones', () => {
    const noise = new Float32Array(imageSize);
    for (let i = 0; i < 20; i++) {
      fillUniform(noise, stream.at(3, i));
      expect(
        detectObjects(
          world,
          Uint8Array.from(noise, (value) => value * 256),
        ),
      ).toEqual([]);
    }
    for (const value of [0, 128, 235, 255])
      expect(detectObjects(world, new Uint8Array(imageSize).fill(value))).toEqual([]);
  });

  test('tells objects of different colours apart that touch each other', () => {
    const red = square(1, 1);
    const [blue, yellow] = [square(2, 1, { color: 'blue' }), square(1, 2, { color: 'yellow', shape: 'circle' })];
    const [left, above] = [shift(renderScene(world, [blue]), -4, 0), shift(renderScene(world, [yellow]), 0, -4)];
    const both = paste(left, renderScene(world, [red]), (x, y) => x >= 30 && y < 30);
    const [found, ofBlue, ofYellow] = sceneDetections([red, blue, yellow]);
    if (!found || !ofBlue || !ofYellow) throw new RangeError('unreachable: there are three');
    const moved = [
      found,
      { ...ofBlue, box: { ...ofBlue.box, x: 30 } },
      { ...ofYellow, box: { ...ofYellow.box, y: 30 } },
    ];
    expect(
      seen(
        detectObjects(
          world,
          paste(above, both, (_, y) => y >= 30),
        ),
      ),
    ).toEqual(seen(moved));
  });

  test('takes an object of two colours for none', () => {
    const [red, blue] = [renderScene(world, [square(2, 2)]), renderScene(world, [square(2, 2, { color: 'blue' })])];
    expect(
      detectObjects(
        world,
        paste(red, blue, (x) => x < 40),
      ),
    ).toEqual([]);
  });

  test('takes half an object for none', () => {
    for (const shape of ['circle', 'square', 'heart'] as const) {
      const whole = renderScene(world, [square(2, 2, { shape })]);
      expect(
        detectObjects(
          world,
          paste(renderScene(world, []), whole, (x) => x < 40),
        ),
        shape,
      ).toEqual([]);
    }
  });

  test('overlooks specks', () => {
    const image = renderScene(world, [square(2, 2)]);
    for (const at of [0, 5, 6, 4095, 3600, 3663]) for (const channel of [0, 1, 2]) image[channel * planeSize + at] = 0;
    expect(detectObjects(world, image)).toHaveLength(1);
  });

  test('refuses what is no image', () => {
    for (const length of [0, imageSize - 1, 4 * planeSize]) {
      expect(() => detectObjects(world, new Uint8Array(length))).toThrow(
        `GVU_SHAPES_PIXELS: The image has ${length} values`,
      );
    }
  });
});
