/**
 * GenEval's rules: whether the detections in an image fulfil its metadata, and if not, why.
 *
 * Source: D. Ghosh, H. Hajishirzi, L. Schmidt, "GenEval", NeurIPS 2023, and its script at djghosh13/geneval @ af4902f. `region` and
 * `size` have no rule there, since GenEval++ asks a language model; the rules here are GvU's own: by the centres of the boxes, and by
 * the ratio of their longer sides.
 */
import type { Box, Detection } from '../judge.ts';
import type { GenEvalMetadata, Included, Region, Relation } from './metadata.ts';

export interface DetectionThresholds {
  /** Detections count above this confidence. GenEval: 0.3. */
  readonly threshold: number;
  /** The same in prompts of the tag `counting`. GenEval: 0.9. */
  readonly countingThreshold: number;
}

export const genEvalThresholds: DetectionThresholds = { threshold: 0.3, countingThreshold: 0.9 };

/** More detections of a class than this are cut off. */
const maxPerClass = 16;
/** Share of the two boxes' sizes by which centres must differ before a direction counts at all. */
const positionMargin = 0.1;
/** Least component of the direction. */
const leastComponent = 0.5;
/** Pixels; offsets below it are none. */
const noOffset = 1e-3;
/** Least ratio of the sides of a larger and a smaller object. */
const leastSizeRatio = 1.2;

/** The detections that count, best first, by class; classes without any are left out. Boxes may overlap: nothing is suppressed. */
export function keepDetections(
  tag: string,
  detections: readonly Detection[],
  { threshold, countingThreshold }: DetectionThresholds,
): ReadonlyMap<string, readonly Detection[]> {
  const least = tag === 'counting' ? countingThreshold : threshold;
  const kept = new Map<string, Detection[]>();
  for (const detection of [...detections].sort((a, b) => b.confidence - a.confidence)) {
    if (!(detection.confidence > least)) continue;
    const ofClass = kept.get(detection.class) ?? [];
    if (ofClass.length < maxPerClass) ofClass.push(detection);
    kept.set(detection.class, ofClass);
  }
  return kept;
}

export interface GenEvalVerdict {
  readonly correct: boolean;
  /** A line for each rule that is broken, much as the official script words them. */
  readonly reasons: readonly string[];
}

/** `found` as `keepDetections` gives it; `size` is that of the image, in pixels. */
export function judgeObjects(
  { include, exclude = [] }: Pick<GenEvalMetadata, 'include' | 'exclude'>,
  found: ReadonlyMap<string, readonly Detection[]>,
  size: { readonly width: number; readonly height: number },
): GenEvalVerdict {
  const reasons: string[] = [];
  const ofClass = (name: string) => found.get(name) ?? [];
  /** The objects of each entry, or null where the entry is not fulfilled. */
  const groups: (readonly Detection[] | null)[] = [];
  for (const entry of include) {
    const group = ofClass(entry.class).slice(0, entry.count);
    const broken = entryProblem(entry, group, { groups, size });
    if (broken !== undefined) reasons.push(broken);
    groups.push(broken === undefined ? group : null);
  }
  const ratio = sizeProblem(include, groups);
  if (ratio !== undefined) reasons.push(ratio);
  for (const { class: name, count } of exclude) {
    const { length } = ofClass(name);
    if (length >= count) reasons.push(`expected ${name}<${count}, found ${length}`);
  }
  return { correct: reasons.length === 0, reasons };
}

/** The first rule of an entry that its objects break: a later one is not looked at any more. */
function entryProblem(
  entry: Included,
  group: readonly Detection[],
  { groups, size }: { groups: readonly (readonly Detection[] | null)[]; size: { width: number; height: number } },
): string | undefined {
  const { class: name, count, color, position, region } = entry;
  if (group.length < count) return `expected ${name}>=${count}, found ${group.length}`;
  if (color !== undefined) {
    const colors = group.map((detection) => detection.color ?? 'no colour');
    const matches = colors.filter((seen) => seen === color).length;
    if (matches < count)
      return `expected ${color} ${name}>=${count}, found ${matches} ${color}; and ${counted(colors)}`;
  }
  if (region !== undefined && group.some(({ box }) => !isInRegion(box, region, size)))
    return `expected ${name} in the half ${region}`;
  if (position === undefined) return undefined;
  const [relation, index] = position;
  const targets = groups[index];
  if (!targets) return `no target for ${name} to be ${relation}`;
  for (const { box } of group) {
    for (const target of targets) {
      const seen = relationsOf(box, target.box);
      if (!seen.includes(relation)) return `expected ${name} ${relation} target, found ${seen.join(' and ')} target`;
    }
  }
  return undefined;
}

/** Every relation in which a box stands to another: none, one, or two at right angles. */
export function relationsOf(object: Box, target: Box): readonly Relation[] {
  const x = centreX(object) - centreX(target);
  const y = centreY(object) - centreY(target);
  const across = shrink(x, positionMargin * (width(object) + width(target)));
  const down = shrink(y, positionMargin * (height(object) + height(target)));
  if (Math.abs(across) < noOffset && Math.abs(down) < noOffset) return [];
  // By the length before shrinking: the direction is no unit vector any more.
  const distance = Math.hypot(x, y);
  const seen: Relation[] = [];
  if (across / distance < -leastComponent) seen.push('left of');
  if (across / distance > leastComponent) seen.push('right of');
  if (down / distance < -leastComponent) seen.push('above');
  if (down / distance > leastComponent) seen.push('below');
  return seen;
}

function isInRegion(box: Box, region: Region, size: { width: number; height: number }): boolean {
  switch (region) {
    case 'left':
      return centreX(box) < size.width / 2;
    case 'right':
      return centreX(box) > size.width / 2;
    case 'above':
      return centreY(box) < size.height / 2;
    case 'below':
      return centreY(box) > size.height / 2;
  }
}

/** Entries that are not fulfilled have been complained of already. */
function sizeProblem(
  include: readonly Included[],
  groups: readonly (readonly Detection[] | null)[],
): string | undefined {
  const sides = (wanted: Included['size']) =>
    include.flatMap(({ size }, i) => (size === wanted ? (groups[i] ?? []).map(({ box }) => longerSide(box)) : []));
  const [larger, smaller] = [sides('larger'), sides('smaller')];
  if (larger.length === 0 || smaller.length === 0) return undefined;
  const [least, most] = [Math.min(...larger), Math.max(...smaller)];
  if (least >= leastSizeRatio * most) return undefined;
  return `expected sides in a ratio of at least ${leastSizeRatio}, found ${least} and ${most}`;
}

function counted(colors: readonly string[]): string {
  return [...new Set(colors)].map((color) => `${colors.filter((other) => other === color).length} ${color}`).join(', ');
}

function shrink(offset: number, by: number): number {
  return Math.sign(offset) * Math.max(Math.abs(offset) - by, 0);
}

function centreX(box: Box): number {
  return (box.left + box.right) / 2;
}

function centreY(box: Box): number {
  return (box.top + box.bottom) / 2;
}

function width(box: Box): number {
  return Math.abs(box.right - box.left);
}

function height(box: Box): number {
  return Math.abs(box.bottom - box.top);
}

function longerSide(box: Box): number {
  return Math.max(width(box), height(box));
}
