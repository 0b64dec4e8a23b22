/** Chooses prompts by the weights of their categories; within a category each is equally likely. */
import type { RandomAddress } from '@gvu/core';
import { shapesErrors } from '../errors.ts';
import type { Catalogue } from './catalogue.ts';
import { type Draws, drawsFrom } from './draws.ts';
import { type Category, categories } from './metadata.ts';
import type { CatalogueEntry, Split } from './split.ts';

/** How often a category is chosen, relative to the others; one that is not named never is. */
export type PromptWeights = Readonly<Partial<Record<Category, number>>>;

export const equalWeights: PromptWeights = Object.fromEntries(categories.map((category) => [category, 1]));

/**
 * A chooser of prompts of one split: a pure function of the address.
 * @throws GVU_SHAPES_CHOICE when a weight is negative or not finite, all are 0, or a category with a weight has no prompt.
 */
export function promptChooser(
  catalogue: Catalogue,
  { split, weights = equalWeights }: { split: Split; weights?: PromptWeights },
): (address: RandomAddress) => CatalogueEntry {
  const problems = categories.flatMap((category) => {
    const weight = weights[category] ?? 0;
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) return [`${category} has weight ${weight}`];
    return weight > 0 && catalogue.select(category, split).length === 0 ? [`${category} has no ${split} prompt`] : [];
  });
  if (problems.length === 0 && categories.every((category) => !weights[category])) problems.push('all weights are 0');
  if (problems.length > 0) {
    throw shapesErrors.error('GVU_SHAPES_CHOICE', `No prompt can be chosen: ${problems.join('; ')}.`, {
      hint: 'Give weights of at least 0, at least one above it, to categories that have prompts.',
      details: { problems },
    });
  }
  return (address) => {
    const draws = drawsFrom(address);
    return draws.pick(catalogue.select(chooseCategory(categories, weights, draws), split));
  };
}

/** One of the categories; the last with a weight takes what rounding leaves. The sum of their weights must be positive. */
export function chooseCategory(from: readonly Category[], weights: PromptWeights, draws: Draws): Category {
  const possible = from.filter((category) => (weights[category] ?? 0) > 0);
  let left = draws.uniform() * possible.reduce((sum, category) => sum + (weights[category] ?? 0), 0);
  for (const category of possible) {
    left -= weights[category] ?? 0;
    if (left < 0) return category;
  }
  return draws.pick(possible.slice(-1));
}
