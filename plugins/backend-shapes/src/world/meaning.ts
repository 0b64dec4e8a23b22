/** When two prompts are the same: in their words, or in what they ask for. */
import type { PromptMetadata } from './metadata.ts';
import { numberWord } from './wording.ts';

/** A prompt without what does not change it: case, punctuation, runs of spaces. */
export function normalized(prompt: string): string {
  return prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}\s]+/gu, ' ')
    .trim();
}

/** The same text for prompts that differ in the order of their parts, or in the side that a relation is told from. */
export function meaningOf({ include, exclude }: PromptMetadata): string {
  const parts = include.map(({ class: shape, count, color, region, size }) =>
    [numberWord(count), size, color, shape, region].filter(Boolean).join(' '),
  );
  const related = include.flatMap(({ class: object, position }) => {
    if (!position) return [];
    const [relation, index] = position;
    const target = include[index]?.class;
    if (relation === 'right of') return [`${target} left of ${object}`];
    if (relation === 'below') return [`${target} above ${object}`];
    return [`${object} ${relation} ${target}`];
  });
  return [...parts.sort(), ...related, ...(exclude ? ['exactly'] : [])].join(', ');
}
