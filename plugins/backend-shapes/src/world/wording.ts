/**
 * The sentences of the world's grammar, each with its metadata: GenEval's templates, and those of GenEval++'s mixes.
 *
 * The wording is that of the benchmarks, oddities included ("on the above"), so that what is learned here is asked there.
 * One is mended: GenEval++ writes "one red sinks", here "one" has the singular. Unlike GenEval++, prompts with counts
 * also exclude one object more, so that a count is exact in every category.
 */
import type { Category, Excluded, Included, PromptMetadata, RelativeSize } from './metadata.ts';
import type { ColorName } from './palette.ts';
import type { Region, Relation } from './relations.ts';
import type { ShapeName } from './shapes.ts';

const numberWords = ['no', 'one', 'two', 'three', 'four'] as const;

/** "three"; counts from 0 to 4. */
export function numberWord(count: number): string {
  return numberWords[count] ?? String(count);
}

/** "crosses" */
export function plural(shape: ShapeName): string {
  return shape === 'cross' ? 'crosses' : `${shape}s`;
}

export function singleObject(shape: ShapeName): PromptMetadata {
  return prompt('single_object', withArticle(shape), [{ class: shape, count: 1 }]);
}

export function twoObject(first: ShapeName, second: ShapeName): PromptMetadata {
  return prompt('two_object', `${withArticle(first)} and ${withArticle(second)}`, [
    { class: first, count: 1 },
    { class: second, count: 1 },
  ]);
}

export function counting(count: number, shape: ShapeName): PromptMetadata {
  return exact(prompt('counting', counted(count, shape), [{ class: shape, count }]));
}

export interface Colored {
  readonly color: ColorName;
  readonly shape: ShapeName;
}

export function colors({ color, shape }: Colored): PromptMetadata {
  return prompt('colors', withArticle(`${color} ${shape}`), [{ class: shape, count: 1, color }]);
}

/** As in GenEval, the metadata name the target first: the object's relation refers to entry 0. */
export function position(object: ShapeName, relation: Relation, target: ShapeName): PromptMetadata {
  return prompt('position', `${withArticle(object)} ${relation} ${withArticle(target)}`, [
    { class: target, count: 1 },
    { class: object, count: 1, position: [relation, 0] },
  ]);
}

export function colorAttr(first: Colored, second: Colored): PromptMetadata {
  const phrase = ({ color, shape }: Colored): string => withArticle(`${color} ${shape}`);
  return prompt(
    'color_attr',
    `${phrase(first)} and ${phrase(second)}`,
    [first, second].map(({ color, shape }) => ({ class: shape, count: 1, color })),
  );
}

export interface Counted {
  readonly count: number;
  readonly shape: ShapeName;
}

export function colorCount(first: Counted & Colored, second: Counted & Colored): PromptMetadata {
  const phrase = ({ count, color, shape }: Counted & Colored): string => counted(count, shape, `${color} `);
  return exact(
    prompt(
      'color_count',
      `${phrase(first)} and ${phrase(second)}`,
      [first, second].map(({ count, color, shape }) => ({ class: shape, count, color })),
    ),
  );
}

export interface Placed {
  readonly region: Region;
}

export function colorPos(first: Colored & Placed, second: Colored & Placed): PromptMetadata {
  const phrase = ({ color, shape, region }: Colored & Placed): string => `${color} ${shape} on the ${region}`;
  return prompt(
    'color_pos',
    `${phrase(first)} and ${phrase(second)}`,
    [first, second].map(({ color, shape, region }) => ({ class: shape, count: 1, color, region })),
  );
}

export function posCount(first: Counted & Placed, second: Counted & Placed): PromptMetadata {
  const phrase = ({ count, shape, region }: Counted & Placed): string => `${counted(count, shape)} on the ${region}`;
  return exact(
    prompt(
      'pos_count',
      `${phrase(first)} and ${phrase(second)}`,
      [first, second].map(({ count, shape, region }) => ({ class: shape, count, region })),
    ),
  );
}

export interface Sized {
  readonly size: RelativeSize;
  readonly shape: ShapeName;
}

export function posSize(first: Sized & Placed, second: Sized & Placed): PromptMetadata {
  const phrase = ({ size, shape, region }: Sized & Placed): string => `a ${size} ${shape} on the ${region}`;
  return prompt(
    'pos_size',
    `${phrase(first)} and ${phrase(second)}`,
    [first, second].map(({ size, shape, region }) => ({ class: shape, count: 1, size, region })),
  );
}

export function multiCount(groups: readonly Counted[]): PromptMetadata {
  const phrases = groups.map(({ count, shape }) => counted(count, shape));
  const last = phrases.at(-1) ?? '';
  const phrase = phrases.length === 2 ? phrases.join(' and ') : `${phrases.slice(0, -1).join(', ')}, and ${last}`;
  return exact(
    prompt(
      'multi_count',
      phrase,
      groups.map(({ count, shape }) => ({ class: shape, count })),
    ),
  );
}

function prompt(tag: Category, phrase: string, include: readonly Included[]): PromptMetadata {
  return { tag, include, prompt: `a photo of ${phrase}` };
}

/** Makes the counts of a prompt exact. */
function exact(metadata: PromptMetadata): PromptMetadata {
  const exclude: Excluded[] = metadata.include.map((entry) => ({ class: entry.class, count: entry.count + 1 }));
  const { prompt: text, ...rest } = metadata;
  return { ...rest, exclude, prompt: text };
}

function counted(count: number, shape: ShapeName, adjective = ''): string {
  return `${numberWord(count)} ${adjective}${count === 1 ? shape : plural(shape)}`;
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
