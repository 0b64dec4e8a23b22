/**
 * What a prompt asks for, in GenEval's format: `include` must be there, `exclude` must not.
 *
 * `region` and `size` are those of GenEval++. In GenEval, `exclude` makes a count exact: three squares are asked for by
 * including three and excluding four.
 */
import type { ColorName } from './palette.ts';
import type { Region, Relation } from './relations.ts';
import type { ShapeName } from './shapes.ts';

export const categories = [
  'single_object',
  'two_object',
  'counting',
  'colors',
  'position',
  'color_attr',
  'color_count',
  'color_pos',
  'pos_count',
  'pos_size',
  'multi_count',
] as const;

/** The first six are GenEval's tasks, the others mixes of GenEval++. */
export type Category = (typeof categories)[number];

export type RelativeSize = 'larger' | 'smaller';

export interface Included {
  readonly class: ShapeName;
  readonly count: number;
  readonly color?: ColorName;
  /** A relation to the objects of an earlier entry, by its index. */
  readonly position?: readonly [Relation, number];
  readonly region?: Region;
  readonly size?: RelativeSize;
}

export interface Excluded {
  readonly class: ShapeName;
  readonly count: number;
}

export interface PromptMetadata {
  readonly tag: Category;
  readonly include: readonly Included[];
  readonly exclude?: readonly Excluded[];
  readonly prompt: string;
}
