/** Names and shapes of the tensors that layers of a kind have, for checking a checkpoint and for making one. */
import type { FlatEntry } from '@gvu/onnx';

/** A linear layer or a convolution: `shape` [out, in, ...kernel]. */
export function linearParameters(
  name: string,
  shape: readonly number[],
  { bias = true }: { bias?: boolean } = {},
): readonly FlatEntry[] {
  return [{ name: `${name}.weight`, shape }, ...(bias ? [{ name: `${name}.bias`, shape: shape.slice(0, 1) }] : [])];
}

/** Scale and bias of a norm. */
export function affineParameters(name: string, width: number): readonly FlatEntry[] {
  return linearParameters(name, [width]);
}
