/**
 * Drawings of models that end each row of image tokens with a token of its own (Emu3). It is not drawn but forced, so it is in no
 * drawing, and teaches nothing; the model sees it all the same.
 */

export interface LineEnds {
  /** Image tokens of a row. */
  readonly columns: number;
  /** The id of what stands between two rows. */
  readonly id: number;
}

export function lineEndsOf({ columns, lineEnd }: { columns: number; lineEnd?: number }): LineEnds | undefined {
  return lineEnd === undefined ? undefined : { columns, id: lineEnd };
}

/** The places of a drawing of `steps` tokens, from its first to its last: which token is drawn there, or -1 for a line end. */
export function drawingPlaces(steps: number, lineEnds: LineEnds | undefined): readonly number[] {
  return Array.from({ length: steps }, (_, step) =>
    lineEnds && step > 0 && step % lineEnds.columns === 0 ? [-1, step] : [step],
  ).flat();
}
