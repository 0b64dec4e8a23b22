/**
 * GenEval's rules: whether the objects of an image fulfil a prompt, and if not, why.
 *
 * Source: D. Ghosh, H. Hajishirzi, L. Schmidt, "GenEval", NeurIPS 2023, and its evaluation script. Of each class the
 * `count` most confident detections are used. Colours come from the detector. GenEval's stricter confidence for counting
 * is not needed: a detector of components finds nothing twice. `region` and `size` are the additions of GenEval++, which
 * has a language model judge them; here by the centres of the boxes and the ratio of their sides.
 */
import type { Detection } from './detector.ts';
import type { Included, PromptMetadata } from './metadata.ts';
import { isInRegion, relationsOf } from './relations.ts';

export interface Verdict {
  readonly correct: boolean;
  /** One sentence for each rule that is broken. */
  readonly reasons: readonly string[];
}

/** Least ratio of the sides of a larger and a smaller object. */
const leastSizeRatio = 1.2;

/** Judges the objects of one image; `detections` in any order. */
export function judge(metadata: Omit<PromptMetadata, 'tag' | 'prompt'>, detections: readonly Detection[]): Verdict {
  const sorted = [...detections].sort((a, b) => b.confidence - a.confidence);
  const ofClass = (name: string): Detection[] => sorted.filter((detection) => detection.class === name);
  const reasons: string[] = [];
  const groups = metadata.include.map((entry) => ofClass(entry.class).slice(0, entry.count));
  metadata.include.forEach((entry, index) => {
    const group = groups[index] ?? [];
    if (group.length < entry.count) {
      reasons.push(`Expected at least ${entry.count} of ${entry.class}, found ${group.length}.`);
      return;
    }
    reasons.push(...attributeProblems(entry, group), ...relationProblems(entry, group, metadata.include, groups));
  });
  reasons.push(...sizeProblems(metadata.include, groups));
  for (const { class: name, count } of metadata.exclude ?? []) {
    const found = ofClass(name).length;
    if (found >= count) reasons.push(`Expected fewer than ${count} of ${name}, found ${found}.`);
  }
  return { correct: reasons.length === 0, reasons };
}

function attributeProblems(entry: Included, group: readonly Detection[]): string[] {
  const { class: name, count, color, region } = entry;
  const problems: string[] = [];
  if (color && group.some((detection) => detection.color !== color)) {
    problems.push(
      `Expected ${count} ${color} of ${name}, found ${group.map((detection) => detection.color).join(', ')}.`,
    );
  }
  if (region && group.some(({ box }) => !isInRegion(box, region))) {
    problems.push(`Expected ${name} in the half ${region}.`);
  }
  return problems;
}

function relationProblems(
  entry: Included,
  group: readonly Detection[],
  include: readonly Included[],
  groups: readonly (readonly Detection[])[],
): string[] {
  if (!entry.position) return [];
  const [relation, index] = entry.position;
  const target = include[index];
  const targets = groups[index] ?? [];
  if (!target || targets.length < target.count) return [`No target for ${entry.class} to be ${relation}.`];
  const holds = group.every(({ box }) => targets.every((other) => relationsOf(box, other.box).includes(relation)));
  return holds ? [] : [`Expected ${entry.class} ${relation} ${target.class}.`];
}

function sizeProblems(include: readonly Included[], groups: readonly (readonly Detection[])[]): string[] {
  const sides = (size: Included['size']): number[] =>
    include.flatMap((entry, index) => (entry.size === size ? (groups[index] ?? []).map(({ box }) => box.width) : []));
  if (!include.some((entry) => entry.size)) return [];
  const smallestLarger = Math.min(...sides('larger'));
  const largestSmaller = Math.max(...sides('smaller'));
  if (smallestLarger >= leastSizeRatio * largestSmaller) return [];
  return [
    `Expected sides in a ratio of at least ${leastSizeRatio}, found ${smallestLarger} and ${largestSmaller} pixels.`,
  ];
}
