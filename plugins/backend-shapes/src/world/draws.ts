/** A cursor over the values of one random address, for procedures whose number of draws is not known before. */
import { fillUniform, type RandomAddress } from '@gvu/core';
import { shapesErrors } from '../errors.ts';

export interface Draws {
  /** A value of the open interval (0, 1). */
  uniform(): number;
  /** An integer of [0, bound). */
  below(bound: number): number;
  /**
   * One of the items, each equally likely.
   * @throws GVU_SHAPES_CHOICE when there is none.
   */
  pick<T>(items: readonly T[]): T;
}

const chunk = 32;

/** The values of an address, from the first on. */
export function drawsFrom(address: RandomAddress): Draws {
  const values = new Float32Array(chunk);
  let position = 0;
  const uniform = (): number => {
    const within = position % chunk;
    if (within === 0) fillUniform(values, address, { offset: position });
    position++;
    return values[within] ?? 0;
  };
  const below = (bound: number): number => Math.floor(uniform() * bound);
  return {
    uniform,
    below,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw shapesErrors.error('GVU_SHAPES_CHOICE', 'There is nothing to choose from.');
      return item;
    },
  };
}
