/**
 * Finds places for objects: a search with backtracking that tries the free cells in random order.
 *
 * It finds a layout whenever there is one, and every layout can come out; layouts are not exactly equally likely, because
 * an object takes any of the cells that those before it leave free.
 */
import type { Draws } from './draws.ts';
import { isInRegion, type Region, type Relation, relationsOf } from './relations.ts';
import { boxOf } from './scene.ts';
import { gapCells, gridSide, type Size, sizeCells } from './world.ts';

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

/** The slots with a cell for each (its left upper corner), or `undefined` when there is no layout. */
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
  const taken = new Uint8Array(gridSide * gridSide);
  const reach = sizeCells[slot.size] + gapCells;
  for (const other of placed) {
    // An object of this size may not begin in these cells, or the two would be too near to each other.
    const otherReach = sizeCells[other.size] + gapCells;
    const left = Math.max(other.column - reach + 1, 0);
    const right = Math.min(other.column + otherReach, gridSide);
    for (let row = Math.max(other.row - reach + 1, 0); row < Math.min(other.row + otherReach, gridSide); row++) {
      taken.fill(1, row * gridSide + left, row * gridSide + right);
    }
  }
  const last = gridSide - sizeCells[slot.size];
  const isBound = slot.region !== undefined || slot.relation !== undefined;
  const free: Cell[] = [];
  for (let row = 0; row <= last; row++) {
    for (let column = 0; column <= last; column++) {
      if (taken[row * gridSide + column]) continue;
      if (!isBound || fulfils({ column, row, size: slot.size }, slot, placed)) free.push({ column, row });
    }
  }
  return free;
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
