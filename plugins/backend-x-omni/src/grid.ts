/** The grid of tokens of drawings, from the size in pixels that is asked for. */
import { xOmniErrors } from './errors.ts';
import type { XOmniOptions } from './options.ts';

export interface DrawnGrid {
  readonly rows: number;
  readonly columns: number;
  /** Pixels along each side of a token. */
  readonly patch: number;
}

/** Throws GVU_XOMNI_CONFIG for a size that is no whole number of patches. */
export function drawnGrid(
  size: XOmniOptions['imageSize'],
  { patch, maxTokens }: { readonly patch: number; readonly maxTokens: number },
): DrawnGrid {
  if (size === undefined) {
    const side = Math.max(1, Math.min(36, Math.floor(Math.sqrt(maxTokens / 2))));
    return { rows: side, columns: side, patch };
  }
  const { width, height } = typeof size === 'number' ? { width: size, height: size } : size;
  return { rows: patchesOf(height, patch), columns: patchesOf(width, patch), patch };
}

function patchesOf(length: number, patch: number): number {
  if (length % patch === 0) return length / patch;
  throw xOmniErrors.error('GVU_XOMNI_CONFIG', `${length} pixels are no whole number of patches of ${patch}.`, {
    hint: `Give a multiple of ${patch} as imageSize.`,
  });
}
