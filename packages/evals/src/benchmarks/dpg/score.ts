/**
 * From answers to a score of DPG-Bench. Pure arithmetic on one item.
 * Source: TencentQQGYLab/ELLA @ 3c228f1, dpg_bench/compute_dpg_bench.py.
 */
import type { Mode } from '../benchmark.ts';
import type { DpgItem, Proposition } from './questions.ts';

/** Which answers are yes. Officially the very word alone: "Yes" and "yes." are a no (defect exact-yes). */
export function isYes(answer: string | null, mode: Mode): boolean {
  if (answer === null) return false;
  return mode === 'official' ? answer === 'yes' : /^\s*yes\b/i.test(answer);
}

export interface DpgItemScore {
  /** Mean over images of the share of propositions that hold, 0 to 1. */
  readonly value: number;
  readonly images: readonly number[];
  /** What each proposition adds to the scores of the categories. */
  readonly byCategory: readonly { readonly category: string; readonly value: number }[];
}

/**
 * The score of an item by the answers about each of its images, in the order of its propositions. A string says why there is none:
 * there are no propositions left, or one depends on a proposition that is not there (after defect first-row the first item's may).
 */
export function scoreItem(
  { propositions }: DpgItem,
  yes: readonly (readonly boolean[])[],
  mode: Mode,
): DpgItemScore | string {
  if (propositions.length === 0 || yes.length === 0) return 'there is no proposition or no image';
  const ids = new Set(propositions.map(({ id }) => id));
  const orphan = propositions.find(({ parents }) => parents.some((parent) => !ids.has(parent)));
  // Defect dropped-items: the official script catches the error of a missing parent and leaves the item out of the mean.
  if (orphan && mode === 'official') return `proposition ${orphan.id} depends on one that is missing`;

  const held = yes.map((answers) => heldPropositions(propositions, answers, mode));
  const images = held.map(share);
  // Defects categories-last-image and categories-before-zeroing.
  const counted = mode === 'official' ? yes.slice(-1) : held;
  return {
    value: mean(images),
    images,
    byCategory: propositions.map(({ category }, i) => ({
      category,
      value: mean(counted.map((answers) => (answers[i] ? 1 : 0))),
    })),
  };
}

/**
 * A proposition whose parent does not hold does not hold. Officially parents are looked at in the order of rows, each after its own
 * parents only if these stand above it (defect row-order); fixed, whatever the order.
 */
function heldPropositions(propositions: readonly Proposition[], yes: readonly boolean[], mode: Mode): boolean[] {
  const held = new Map(propositions.map(({ id }, i) => [id, yes[i] === true]));
  const pass = () => {
    let changed = false;
    for (const { id, parents } of propositions) {
      if (held.get(id) !== true || !parents.some((parent) => held.get(parent) === false)) continue;
      held.set(id, false);
      changed = true;
    }
    return changed;
  };
  if (mode === 'official') pass();
  else while (pass());
  return propositions.map(({ id }) => held.get(id) === true);
}

function share(held: readonly boolean[]): number {
  return held.filter(Boolean).length / held.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
