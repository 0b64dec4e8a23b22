/** Images as rows of patches, one for each cell of the grid, and back. */
import { add, cast, mul, reshape, type Tensor, transpose } from '@gvu/onnx';
import { cellSide, gridSide, imageSide } from '../world/index.ts';
import { imageTokens, patchSize } from './config.ts';

/** Bytes [B, 3, 64, 64] as patches [B * 16, 768] in [-1, 1], row by row. */
export function toPatches(pixels: Tensor): Tensor {
  const [batch = 0] = pixels.shape;
  const grid = reshape(pixels, [batch, 3, gridSide, cellSide, gridSide, cellSide]);
  const patches = reshape(transpose(grid, [0, 2, 4, 1, 3, 5]), [batch * imageTokens, patchSize]);
  return add(mul(cast(patches, 'float32'), 1 / 127.5), -1);
}

/** The opposite: patches [B * 16, 768] as images [B, 3, 64, 64] of floats in about [-1, 1]. */
export function fromPatches(patches: Tensor): Tensor {
  const batch = (patches.shape[0] ?? 0) / imageTokens;
  const grid = reshape(patches, [batch, gridSide, gridSide, 3, cellSide, cellSide]);
  return reshape(transpose(grid, [0, 3, 1, 4, 2, 5]), [batch, 3, imageSide, imageSide]);
}
