/**
 * Where boxes are: GenEval's rule of relative positions, and the halves of the image that GenEval++ speaks of.
 *
 * Source of the rule: D. Ghosh, H. Hajishirzi, L. Schmidt, "GenEval", NeurIPS 2023, and its evaluation script.
 */
import type { Box } from './scene.ts';
import { imageSide } from './world.ts';

export const relations = ['left of', 'right of', 'above', 'below'] as const;
export type Relation = (typeof relations)[number];

export const regions = ['left', 'right', 'above', 'below'] as const;
/** A half of the image. */
export type Region = (typeof regions)[number];

export const oppositeRegion = { left: 'right', right: 'left', above: 'below', below: 'above' } as const;

/** Share of the two boxes' sizes by which centres must differ before a direction counts at all. */
const margin = 0.1;
/** Least component of the direction, as a share of the distance. */
const least = 0.5;

/**
 * Every relation in which `object` stands to `target`: none, one or two (in a corner, both directions may hold).
 *
 * The offset of the centres is shrunk on each axis by `margin` times the sum of the two boxes' sizes, not beyond 0, and
 * divided by the length that it had before.
 */
export function relationsOf(object: Box, target: Box): Relation[] {
  const across = centerX(object) - centerX(target);
  const down = centerY(object) - centerY(target);
  const distance = Math.hypot(across, down);
  if (distance === 0) return [];
  const x = shrink(across, margin * (object.width + target.width)) / distance;
  const y = shrink(down, margin * (object.height + target.height)) / distance;
  const found: Relation[] = [];
  if (x < -least) found.push('left of');
  if (x > least) found.push('right of');
  if (y < -least) found.push('above');
  if (y > least) found.push('below');
  return found;
}

/** Whether the centre of a box lies in a half of the image. */
export function isInRegion(box: Box, region: Region): boolean {
  const middle = imageSide / 2;
  switch (region) {
    case 'left':
      return centerX(box) < middle;
    case 'right':
      return centerX(box) > middle;
    case 'above':
      return centerY(box) < middle;
    case 'below':
      return centerY(box) > middle;
  }
}

function shrink(offset: number, by: number): number {
  return Math.sign(offset) * Math.max(Math.abs(offset) - by, 0);
}

function centerX(box: Box): number {
  return box.x + box.width / 2;
}

function centerY(box: Box): number {
  return box.y + box.height / 2;
}
