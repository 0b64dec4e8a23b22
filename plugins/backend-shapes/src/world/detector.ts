/**
 * Finds the objects of an image from its pixels alone: no learned part, and nothing of the scene that was drawn.
 *
 * Each connected region of one colour is compared with every shape at the sizes and places near its bounding box, by the
 * soft intersection over union of the colour's share and the shape's coverage. What resembles no shape well enough, such
 * as a region of two colours' halves or a torn one, is no object.
 */
import { type ColorMap, type Component, colorMap, components, sharpened } from './components.ts';
import type { ColorName } from './palette.ts';
import { requireImage } from './pixels.ts';
import { type Box, boxOf, type Scene } from './scene.ts';
import { coverage, type ShapeName } from './shapes.ts';
import { imageSide, type World } from './world.ts';

export interface Detection {
  readonly class: ShapeName;
  readonly color: ColorName;
  /** How well the pixels fit the shape: intersection over union, 0 to 1. */
  readonly confidence: number;
  /** The square of the shape that fits best, in pixels. */
  readonly box: Box;
}

/** Least fit of an object. */
const leastConfidence = 0.7;
/** Components with fewer pixels are specks. */
const leastArea = 6;
/** Sides that are tried, beside the longer side of the bounding box: blur takes the tips off pointed shapes. */
const sideSlack = { below: 1, above: 3 };
/** Pixels by which the tried places differ from the middle of the bounding box. */
const placeSlack = 1;
/** Least and greatest side of an object, in pixels. */
const sideRange = { least: 6, greatest: 20 };

/**
 * The objects of an image [3, 64, 64], the most confident first.
 * @throws GVU_SHAPES_PIXELS
 */
export function detectObjects(world: World, pixels: Uint8Array): Detection[] {
  requireImage(pixels);
  const map = colorMap(pixels, world.colors);
  const found: Detection[] = [];
  for (const component of components(map)) {
    const color = world.colors[component.color];
    if (color === undefined || component.area < leastArea) continue;
    const fit = bestFit(world.shapes, component, map);
    if (fit && fit.confidence >= leastConfidence) found.push({ ...fit, color });
  }
  return found.sort((a, b) => b.confidence - a.confidence);
}

/** What a perfect detector sees in a scene. */
export function sceneDetections(scene: Scene): Detection[] {
  return scene.map((object) => ({ class: object.shape, color: object.color, confidence: 1, box: boxOf(object) }));
}

type Fit = Omit<Detection, 'color'>;

function bestFit(shapes: readonly ShapeName[], component: Component, map: ColorMap): Fit | undefined {
  const region = regionOf(component, map);
  let best: Fit | undefined;
  for (const mask of likelyMasks(shapes, region)) {
    if (best && highestOverlap(region, mask) <= best.confidence) break;
    const { shape, side } = mask;
    const middleX = Math.round(region.left + (region.width - side) / 2);
    const middleY = Math.round(region.top + (region.height - side) / 2);
    for (let y = middleY - placeSlack; y <= middleY + placeSlack; y++) {
      for (let x = middleX - placeSlack; x <= middleX + placeSlack; x++) {
        const confidence = overlap(region, mask, { x, y });
        if (best && confidence <= best.confidence) continue;
        best = { class: shape, confidence, box: { x, y, width: side, height: side } };
      }
    }
  }
  return best;
}

/** The masks of all shapes at the sides to try, those first that may fit best. */
function likelyMasks(shapes: readonly ShapeName[], region: Region): Mask[] {
  const longer = Math.max(region.width, region.height);
  const from = Math.max(longer - sideSlack.below, sideRange.least);
  const to = Math.min(longer + sideSlack.above, sideRange.greatest);
  const masks: Mask[] = [];
  for (let side = from; side <= to; side++) for (const shape of shapes) masks.push(sharpMask(shape, side));
  return masks.sort((a, b) => highestOverlap(region, b) - highestOverlap(region, a));
}

/** What the overlap of two sets of these sizes is at most: when one contains the other. */
function highestOverlap(region: Region, mask: Mask): number {
  return Math.min(region.total, mask.total) / Math.max(region.total, mask.total);
}

/** The pixels of one component, in a plane with a margin on each side so that no mask reaches beyond. */
interface Region {
  readonly share: Float32Array;
  readonly total: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const margin = sideRange.greatest;
const stride = imageSide + 2 * margin;

function regionOf(component: Component, { nearest, share }: ColorMap): Region {
  const { left, top, right, bottom } = component;
  const region = new Float32Array(stride * stride);
  let total = 0;
  // One pixel more than the component on each side: the outer half of a smooth edge.
  for (let y = Math.max(top - 1, 0); y <= Math.min(bottom + 1, imageSide - 1); y++) {
    for (let x = Math.max(left - 1, 0); x <= Math.min(right + 1, imageSide - 1); x++) {
      const at = y * imageSide + x;
      if (nearest[at] !== component.color) continue;
      const value = share[at] ?? 0;
      region[(y + margin) * stride + x + margin] = value;
      total += value;
    }
  }
  return { share: region, total, left, top, width: right - left + 1, height: bottom - top + 1 };
}

interface Mask {
  readonly shape: ShapeName;
  readonly share: Float32Array;
  readonly total: number;
  readonly side: number;
}

const masks = new Map<ShapeName, Mask[]>();

function sharpMask(shape: ShapeName, side: number): Mask {
  const ofShape = masks.get(shape) ?? [];
  masks.set(shape, ofShape);
  if (!ofShape[side]) {
    const share = coverage(shape, side).map(sharpened);
    ofShape[side] = { shape, share, total: share.reduce((sum, value) => sum + value, 0), side };
  }
  return ofShape[side];
}

/** Intersection over union of two fuzzy sets: the sum of minima over the sum of maxima. */
function overlap(region: Region, mask: Mask, { x, y }: { x: number; y: number }): number {
  let shared = 0;
  for (let row = 0; row < mask.side; row++) {
    const from = (y + row + margin) * stride + x + margin;
    for (let column = 0; column < mask.side; column++) {
      shared += Math.min(region.share[from + column] ?? 0, mask.share[row * mask.side + column] ?? 0);
    }
  }
  return shared / (region.total + mask.total - shared);
}
