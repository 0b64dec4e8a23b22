/**
 * A gate: a reward that counts only where a guard, another reward, is satisfied, as a product with 0 or 1 would, but for rewards of any
 * range. Weighted sums and standardising each reward by itself (GDPO) need the groups, and are the business of advantages.
 */

export interface Gate {
  /** Name of the reward that guards. */
  readonly by: string;
  /** It has to reach this. */
  readonly least: number;
  /** What a rollout gets that fails the guard; choose it at the lower end of the reward's range. */
  readonly otherwise: number;
}

/** Values [B] where the guard [B] is satisfied. Where either could not judge, the rollout is unscorable: NaN. */
export function gate(
  values: readonly number[],
  guard: readonly number[],
  { least, otherwise }: Omit<Gate, 'by'>,
): readonly number[] {
  return values.map((value, row) => {
    const guarded = guard[row] ?? Number.NaN;
    if (Number.isNaN(value) || Number.isNaN(guarded)) return Number.NaN;
    return guarded >= least ? value : otherwise;
  });
}
