import { describe, expect, test } from 'vitest';
import type { Detection } from './detector.ts';
import { judge } from './judge.ts';
import type { PromptMetadata } from './metadata.ts';
import * as wording from './wording.ts';

/** A detection of 10 x 10 pixels around a centre. */
function at(x: number, y: number, changes: Partial<Detection> & { side?: number } = {}): Detection {
  const { side = 10, ...rest } = changes;
  return {
    class: 'circle',
    color: 'red',
    confidence: 0.9,
    box: { x: x - side / 2, y: y - side / 2, width: side, height: side },
    ...rest,
  };
}

function verdict(metadata: PromptMetadata, ...detections: Detection[]): readonly string[] {
  const { correct, reasons } = judge(metadata, detections);
  expect(correct).toBe(reasons.length === 0);
  return reasons;
}

const square = { class: 'square' } as const;

describe("GenEval's rules", () => {
  test('ask for the objects, and do not mind others', () => {
    const both = wording.twoObject('circle', 'square');
    expect(verdict(both, at(8, 8), at(24, 24, square))).toEqual([]);
    expect(verdict(both, at(8, 8), at(24, 24, square), at(8, 24), at(24, 8, { class: 'moon' }))).toEqual([]);
    expect(verdict(both, at(8, 8))).toEqual(['Expected at least 1 of square, found 0.']);
    expect(verdict(both)).toHaveLength(2);
  });

  test('make counts exact by exclusion', () => {
    const three = wording.counting(3, 'circle');
    const circles = [at(5, 5), at(20, 5), at(5, 20), at(20, 20)];
    expect(verdict(three, ...circles.slice(0, 3))).toEqual([]);
    expect(verdict(three, ...circles.slice(0, 2))).toEqual(['Expected at least 3 of circle, found 2.']);
    expect(verdict(three, ...circles)).toEqual(['Expected fewer than 4 of circle, found 4.']);
  });

  test('compare the colours of the most confident objects alone', () => {
    const red = wording.colors({ color: 'red', shape: 'circle' });
    const [sure, unsure] = [at(5, 5, { confidence: 0.99 }), at(20, 20, { color: 'blue', confidence: 0.8 })];
    expect(verdict(red, unsure, sure)).toEqual([]);
    expect(verdict(red, { ...unsure, confidence: 1 }, sure)).toEqual(['Expected 1 red of circle, found blue.']);
  });

  test('bind each colour to its object', () => {
    const prompt = wording.colorAttr({ color: 'red', shape: 'circle' }, { color: 'blue', shape: 'square' });
    expect(verdict(prompt, at(8, 8), at(24, 24, { ...square, color: 'blue' }))).toEqual([]);
    expect(verdict(prompt, at(8, 8, { color: 'blue' }), at(24, 24, square))).toHaveLength(2);
  });

  test('ask every object for its relation to every target', () => {
    const above = wording.position('circle', 'above', 'square');
    expect(verdict(above, at(16, 5), at(16, 25, square))).toEqual([]);
    expect(verdict(above, at(16, 25), at(16, 5, square))).toEqual(['Expected circle above square.']);
    expect(verdict(above, at(16, 5))).toEqual([
      'Expected at least 1 of square, found 0.',
      'No target for circle to be above.',
    ]);
    const many = {
      ...above,
      include: [
        { class: 'square', count: 2 },
        { class: 'circle', count: 2, position: ['above', 0] },
      ],
    } as const;
    const targets = [at(8, 25, square), at(24, 25, square)];
    expect(verdict(many, at(8, 5), at(24, 5), ...targets)).toEqual([]);
    expect(verdict(many, at(8, 5), at(24, 28), ...targets)).toEqual(['Expected circle above square.']);
  });
});

describe('the rules of regions and sizes', () => {
  test('ask every object of a group for its half of the image', () => {
    const prompt = wording.posCount(
      { count: 2, shape: 'circle', region: 'left' },
      { count: 1, shape: 'square', region: 'right' },
    );
    expect(verdict(prompt, at(16, 16), at(16, 48), at(48, 32, square))).toEqual([]);
    expect(verdict(prompt, at(16, 16), at(40, 48), at(48, 32, square))).toEqual(['Expected circle in the half left.']);
    expect(verdict(prompt, at(16, 16), at(16, 48), at(48, 32, square), at(56, 56, square))).toEqual([
      'Expected fewer than 2 of square, found 2.',
    ]);
  });

  test('ask the larger object to be larger by a fifth', () => {
    const prompt = wording.posSize(
      { size: 'larger', shape: 'circle', region: 'left' },
      { size: 'smaller', shape: 'square', region: 'right' },
    );
    expect(verdict(prompt, at(16, 32, { side: 12 }), at(48, 32, { ...square, side: 10 }))).toEqual([]);
    expect(verdict(prompt, at(16, 32, { side: 11 }), at(48, 32, { ...square, side: 10 }))).toEqual([
      'Expected sides in a ratio of at least 1.2, found 11 and 10 pixels.',
    ]);
    expect(verdict(prompt, at(16, 32, { side: 8 }), at(48, 32, { ...square, side: 12 }))).toHaveLength(1);
    expect(verdict(prompt, at(16, 32))).toEqual(['Expected at least 1 of square, found 0.']);
  });
});
