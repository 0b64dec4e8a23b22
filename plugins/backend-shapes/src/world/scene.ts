/** A scene: which objects stand where. Plain data; `render.ts` draws it, `detector.ts` recovers it from pixels. */
import type { ColorName } from './palette.ts';
import type { ShapeName } from './shapes.ts';
import { cellSide, type Size, sizePixels } from './world.ts';

export interface SceneObject {
  readonly shape: ShapeName;
  readonly color: ColorName;
  readonly size: Size;
  /** The cell: columns and rows from 0. */
  readonly column: number;
  readonly row: number;
}

export type Scene = readonly SceneObject[];

/** A rectangle in pixels: left upper corner, y down. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The square that an object fills, in the middle of its cell. */
export function boxOf({ column, row, size }: Pick<SceneObject, 'column' | 'row' | 'size'>): Box {
  const side = sizePixels[size];
  const inset = (cellSide - side) / 2;
  return { x: column * cellSide + inset, y: row * cellSide + inset, width: side, height: side };
}
