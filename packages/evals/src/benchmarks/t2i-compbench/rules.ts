/**
 * The scores of T2I-CompBench by detections: of two things in a place (UniDet 2D, and 3D with depth), and of numbers of things.
 * Pure. Source: Karine-Huang/T2I-CompBench @ 1b70949, UniDet_eval/{2D_spatial,3D_spatial,numeracy}_eval.py.
 */
import type { Mode } from '../benchmark.ts';
import type { Box, Detection } from '../judge.ts';
import type { DepthLocality, Locality, SpatialClaim } from './phrases.ts';

/** Pixels of the frame. */
const nearDistance = 150;
const overlapLimit = 0.1;
/** Share of a box below which a place in depth holds in part only. */
const depthOverlap = 0.5;
/** UniDet's: detections below it are not seen. */
const leastConfidence = 0.5;

/** How the official loader sizes images: the shorter side 479 pixels, unless the longer one would exceed 480. */
export function frameScale({ width, height }: { readonly width: number; readonly height: number }): number {
  return Math.min(479 / Math.min(width, height), 480 / Math.max(width, height));
}

/** Detections as the official script has them: the confident ones, best first, in pixels of its frame. */
export function inFrame(detections: readonly Detection[], scale: number): readonly Detection[] {
  const scaled = ({ left, top, right, bottom }: Box): Box => ({
    left: left * scale,
    top: top * scale,
    right: right * scale,
    bottom: bottom * scale,
  });
  return detections
    .filter(({ confidence }) => confidence > leastConfidence)
    .map((detection) => ({ ...detection, box: scaled(detection.box) }))
    .sort((a, b) => b.confidence - a.confidence);
}

type Pair = readonly [Detection | undefined, Detection | undefined];

/** The most confident of each. Defect one-for-two: officially one person stands for two people. */
function bestPair(
  { object, target }: Pick<SpatialClaim, 'object' | 'target'>,
  seen: readonly Detection[],
  mode: Mode,
): Pair {
  const first = seen.find(({ class: name }) => name === object);
  return [first, seen.find((thing) => thing.class === target && (mode === 'official' || thing !== first))];
}

/** As the official 3D script finds them: looking on until there are both, it forgets the better ones (defect last-of-several). */
function lastPair({ object, target }: Pick<SpatialClaim, 'object' | 'target'>, seen: readonly Detection[]): Pair {
  const has = (name: string) => seen.some((thing) => thing.class === name);
  if (!has(object) || !has(target))
    return [seen.find(({ class: name }) => name === object), seen.find(({ class: name }) => name === target)];
  let pair: Pair = [undefined, undefined];
  for (const thing of seen) {
    pair = [thing.class === object ? thing : pair[0], thing.class === target ? thing : pair[1]];
    if (pair[0] && pair[1]) break;
  }
  return pair;
}

/** 0 to 1: a quarter for each thing by its confidence, half for the place; below 0.5 nothing. `seen` as `inFrame` gives it. */
export function spatialScore(claim: SpatialClaim, seen: readonly Detection[], mode: Mode): number {
  const [first, second] = bestPair(claim, seen, mode);
  const place = first && second ? placeScore(claim.locality, [first.box, second.box], mode) / 2 : 0;
  const score = foundScore([first, second]) + place;
  return score < 0.5 ? 0 : score;
}

/**
 * 0 to 1: the same in depth, where small scores stay. `nearness` is of a pixel of the frame, by column and row: larger is nearer. A place in
 * depth wants boxes that overlap: by half of their union it holds wholly, by less in part.
 */
export function depthScore(
  claim: SpatialClaim<DepthLocality>,
  seen: readonly Detection[],
  { mode, nearness }: { readonly mode: Mode; readonly nearness: (x: number, y: number) => number | undefined },
): number {
  const [first, second] = mode === 'official' ? lastPair(claim, seen) : bestPair(claim, seen, mode);
  if (!first || !second) return foundScore([first, second]);
  // Defect depth-axes: the script takes columns for rows.
  const at = mode === 'official' ? (x: number, y: number) => nearness(y, x) : nearness;
  const ahead = meanOver(first.box, at) - meanOver(second.box, at);
  const holds = claim.locality === 'in front of' ? ahead > 0 : ahead < 0;
  const overlap = overlapOf(first.box, second.box);
  // Defect half-overlap: of exactly half nothing is said.
  const share = mode === 'official' && overlap === depthOverlap ? 0 : Math.min(1, overlap / depthOverlap);
  return foundScore([first, second]) + (holds ? share / 2 : 0);
}

function foundScore([first, second]: Pair): number {
  return 0.25 * (first?.confidence ?? 0) + 0.25 * (second?.confidence ?? 0);
}

/** NaN where there is no pixel. */
function meanOver({ left, top, right, bottom }: Box, at: (x: number, y: number) => number | undefined): number {
  let [sum, count] = [0, 0];
  for (let y = Math.max(0, Math.trunc(top)); y < Math.trunc(bottom); y++)
    for (let x = Math.max(0, Math.trunc(left)); x < Math.trunc(right); x++) {
      const value = at(x, y);
      if (value === undefined) continue;
      sum += value;
      count++;
    }
  return sum / count;
}

function placeScore(locality: Locality, [object, target]: readonly [Box, Box], mode: Mode): number {
  const x = (target.left + target.right - object.left - object.right) / 2;
  const y = (target.top + target.bottom - object.top - object.bottom) / 2;
  const apart = Math.max(Math.abs(x), Math.abs(y));
  switch (locality) {
    case 'next to':
    case 'near':
    case 'on side of': {
      // Defect near-on-one-axis: to be near on one axis is enough, however far apart things are on the other.
      const near = mode === 'official' ? Math.min(Math.abs(x), Math.abs(y)) < nearDistance : apart < nearDistance;
      return near ? 1 : nearDistance / apart;
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

/** Intersection over union. */
function overlapOf(a: Box, b: Box): number {
  const shared = intersection(a, b, 0);
  return shared / (area(a, 0) + area(b, 0) - shared);
}

function byOverlap(a: Box, b: Box): number {
  const overlap = overlapOf(a, b);
  return overlap < overlapLimit ? 1 : overlapLimit / overlap;
}

/** Share of two boxes, or of either, above which they are the same thing. */
const sameThing = 0.9;

/** 0 to 1, of detections as `inFrame` gives them: for each kind of thing half its part for being there, half for being there as often as asked. */
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
