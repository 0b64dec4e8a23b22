/**
 * Finds places for objects: a search with backtracking that tries the free cells in random order.
 *
 * It finds a layout whenever there is one, and every layout can come out; layouts are not exactly equally likely, because
 * an object takes any of the cells that those before it leave free.
 */
import type { Draws } from './draws.ts';
import { isInRegion, type Region, type Relation, relationsOf } from './relations.ts';
import { boxOf } from './scene.ts';
import { gridSide, type Size } from './world.ts';

/** An object without a place, and what its place must fulfil. */
export interface Slot {
  readonly size: Size;
  readonly region?: Region | undefined;
  /** A relation to slots before this one, by their indices: it must hold for each. */
  readonly relation?: { readonly name: Relation; readonly targets: readonly number[] } | undefined;
}

export interface Cell {
  readonly column: number;
  readonly row: number;
}

/** The slots with a cell for each, or `undefined` when there is no layout. */
export function placeSlots<S extends Slot>(slots: readonly S[], draws: Draws): (S & Cell)[] | undefined {
  const placed: (S & Cell)[] = [];
  const placeFrom = (index: number): boolean => {
    const slot = slots[index];
    if (!slot) return true;
    const free = freeCells(slot, placed);
    while (free.length > 0) {
      for (const cell of free.splice(draws.below(free.length), 1)) placed.push({ ...slot, ...cell });
      if (placeFrom(index + 1)) return true;
      placed.pop();
    }
    return false;
  };
  return placeFrom(0) ? placed : undefined;
}

interface Placed extends Cell {
  readonly size: Size;
}

function freeCells(slot: Slot, placed: readonly Placed[]): Cell[] {
  const cells = Array.from({ length: gridSide * gridSide }, (_, at) => ({
    column: at % gridSide,
    row: Math.floor(at / gridSide),
  }));
  return cells.filter(
    (cell) =>
      !placed.some(({ column, row }) => column === cell.column && row === cell.row) &&
      fulfils({ ...cell, size: slot.size }, slot, placed),
  );
}

function fulfils(candidate: Placed, { region, relation }: Slot, placed: readonly Placed[]): boolean {
  const box = boxOf(candidate);
  if (region && !isInRegion(box, region)) return false;
  if (!relation) return true;
  return relation.targets.every((index) => {
    const target = placed[index];
    return target !== undefined && relationsOf(box, boxOf(target)).includes(relation.name);
  });
}
