/** Resampling and filling up against Pillow and the release's processor, to the byte. */

import { resizeBicubic } from '@gvu/models';
import { toNumbers } from '@gvu/onnx';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { fitImage } from '../src/model/fit-image.ts';
import { expectedTensors, fixtureJson } from './fixtures.ts';

const name = 'image-preprocess';
const cases = fixtureJson<{
  resize: readonly { id: string; mode: string }[];
  janus: { size: number; fill: number };
}>(name, 'cases.json');

let get: Awaited<ReturnType<typeof expectedTensors>>['get'];
beforeAll(async () => {
  ({ get } = await expectedTensors(name));
});

function image(key: string) {
  const tensor = get(key);
  const [height = 0, width = 0] = tensor.shape;
  return { width, height, data: Uint8Array.from(toNumbers(tensor)) };
}

it.each(cases.resize.filter(({ mode }) => mode === 'bicubic'))('$id', ({ id }) => {
  const expected = image(`${id}.out`);
  expect(resizeBicubic(image(`${id}.in`), expected)).toEqual(expected);
});

it('fills up to a square', () => {
  const { size, fill } = cases.janus;
  const options = { side: size, background: [fill, fill, fill], leastSide: 14 } as const;
  expect(fitImage(image('janus.in'), options)).toEqual(image('janus.square'));
});

describe('whatever the size', () => {
  it('gives a square, and leaves a plain colour plain', () => {
    const sides = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(sides, sides, sides, fc.integer({ min: 0, max: 255 }), (width, height, side, colour) => {
        const data = new Uint8Array(3 * width * height).fill(colour);
        const background = [colour, colour, colour] as const;
        const square = fitImage({ width, height, data }, { side, background, leastSide: 14 });
        expect(square).toEqual({ width: side, height: side, data: new Uint8Array(3 * side * side).fill(colour) });
      }),
      { seed: 20261123 },
    );
  });
});
