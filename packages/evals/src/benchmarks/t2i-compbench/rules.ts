/**
 * The scores of T2I-CompBench by detections: of two things in a place (UniDet 2D), and of numbers of things. Pure.
 * Source: Karine-Huang/T2I-CompBench @ 1b70949, UniDet_eval/2D_spatial_eval.py and numeracy_eval.py.
 */
import type { Mode } from '../benchmark.ts';
import type { Box, Detection } from '../judge.ts';
import type { Locality, SpatialClaim } from './phrases.ts';

/** Pixels; in mode `fixed`, of an image of 512. */
const nearDistance = 150;
const overlapLimit = 0.1;

/** 0 to 1: a quarter for each thing by its confidence, half for the place; below 0.5 nothing. */
export function spatialScore(
  { object, locality, target }: SpatialClaim,
  detections: readonly Detection[],
  { mode, width }: { mode: Mode; width: number },
): number {
  const best = (name: string) =>
    detections
      .filter((detection) => detection.class === name)
      .reduce<Detection | undefined>((a, b) => (a && a.confidence >= b.confidence ? a : b), undefined);
  const [first, second] = [best(object), best(target)];
  const found = 0.25 * (first?.confidence ?? 0) + 0.25 * (second?.confidence ?? 0);
  const place = first && second ? placeScore(locality, [first.box, second.box], { mode, width }) / 2 : 0;
  const score = found + place;
  return score < 0.5 ? 0 : score;
}

function placeScore(
  locality: Locality,
  [object, target]: readonly [Box, Box],
  { mode, width }: { mode: Mode; width: number },
): number {
  const x = (target.left + target.right - object.left - object.right) / 2;
  const y = (target.top + target.bottom - object.top - object.bottom) / 2;
  const apart = Math.max(Math.abs(x), Math.abs(y));
  switch (locality) {
    case 'next to':
    case 'near':
    case 'on side of': {
      // Defect near-in-pixels: the distance is in pixels, whatever the size of the image.
      const limit = mode === 'official' ? nearDistance : (nearDistance * width) / 512;
      // Defect near-on-one-axis: to be near on one axis is enough, however far apart things are on the other.
      const near = mode === 'official' ? Math.min(Math.abs(x), Math.abs(y)) < limit : apart < limit;
      return near ? 1 : limit / apart;
    }
    case 'on the right of':
      return x < 0 && Math.abs(x) > Math.abs(y) ? byOverlap(object, target) : 0;
    case 'on the left of':
      return x > 0 && Math.abs(x) > Math.abs(y) ? byOverlap(object, target) : 0;
    case 'on the bottom of':
      return y < 0 && Math.abs(y) > Math.abs(x) ? byOverlap(object, target) : 0;
    case 'on top of':
      // Defect on-top-of: the official script finds the words, but has no rule for them.
      if (mode === 'official') return 0;
      return y > 0 && Math.abs(y) > Math.abs(x) ? byOverlap(object, target) : 0;
    case 'on the top of':
      return y > 0 && Math.abs(y) > Math.abs(x) ? byOverlap(object, target) : 0;
  }
}

function byOverlap(a: Box, b: Box): number {
  const shared = intersection(a, b, 0);
  const overlap = shared / (area(a, 0) + area(b, 0) - shared);
  return overlap < overlapLimit ? 1 : overlapLimit / overlap;
}

/** Share of two boxes, or of either, above which they are the same thing. */
const sameThing = 0.9;

/** 0 to 1: for each kind of thing half its part for being there, half for being there as often as asked. */
export function numeracyScore(
  asked: readonly { readonly object: string; readonly count: number }[],
  detections: readonly Detection[],
): number {
  const things: Detection[] = [];
  for (const next of detections) {
    if (!things.some((thing) => thing.class === next.class && isSame(thing.box, next.box))) things.push(next);
  }
  return asked.reduce((score, { object, count }) => {
    const found = things.filter((thing) => thing.class === object).length;
    return score + ((found > 0 ? 0.5 : 0) + (found === count ? 0.5 : 0)) / asked.length;
  }, 0);
}

function isSame(a: Box, b: Box): boolean {
  const shared = intersection(a, b, 1);
  const [one, other] = [area(a, 1), area(b, 1)];
  return shared / Math.min(one, other) > sameThing || shared / (one + other - shared) > sameThing;
}

/** `extra` = 1 where boxes are counted in whole pixels, both ends included. */
function intersection(a: Box, b: Box, extra: 0 | 1): number {
  const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left) + extra;
  const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) + extra;
  return Math.max(0, wide) * Math.max(0, high);
}

function area(box: Box, extra: 0 | 1): number {
  return (box.right - box.left + extra) * (box.bottom - box.top + extra);
}
