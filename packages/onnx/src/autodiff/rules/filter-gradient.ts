/**
 * The gradient of a convolution's filters, G[m, c, k] = sum over images n and windows p of d[n, m, p] x[n, c, p stride + k dilation], as
 * one product of matrices.
 *
 * The usual way unfolds x to all places of the kernel. Where the stride is 1 the shift between d and x may as well be made on
 * d, axis by axis: with a 3 x 3 kernel, three copies of each instead of nine of x, and one product whose rows and columns are
 * (kernel rows x filters) and (kernel columns x channels). Measured on 16 x 16 and 32 x 32 images with 32 to 128 channels it takes
 * a tenth to a third less time than full unfolding, and half of a convolution with batch and channels swapped.
 */
import type { Tensor } from '../../graph/graph.ts';
import type { WindowAttributes } from '../../graph/specs/neural.ts';
import { gemm, matmul, sum } from '../../ops/linear.ts';
import { concat, pad, reshape, transpose } from '../../ops/movement.ts';
import { padSpatial, patches } from '../../ops/window.ts';
import { sizeOf } from '../../tensor-data.ts';

/** x [N, C, ...spatial] met d [N, M, ...counts] through this window: the gradient [M, C / group, ...kernel] of its filters. */
export function filterGradient(x: Tensor, d: Tensor, window: WindowAttributes & { group: number }): Tensor {
  const { group, kernel_shape, dilations, pads } = window;
  const [batch = 0, channels = 0] = x.shape;
  const filters = d.shape[1] ?? 0;
  const onX = unfoldedAxes(window, { channels, filters });
  const onD = [...kernel_shape.keys()].filter((axis) => !onX.includes(axis));
  const places = (axes: readonly number[]) => sizeOf(axes.map((axis) => kernel_shape[axis] ?? 1));
  const [rows, columns] = [places(onD) * filters, places(onX) * channels];

  const padded = padSpatial(x, pads);
  const counts = d.shape.slice(2).map((count, i) => (onX.includes(i) ? count : (padded.shape[i + 2] ?? 0)));
  const positions = sizeOf(counts);
  // One product an image keeps the layout; when its result would be as large as its factors, all images go into one product.
  const merged = group === 1 && (rows * columns) / (rows + columns) > positions / 2;
  const lead = (image: Tensor) => (merged ? transpose(image, [1, 0, ...kernel_shape.map((_, i) => i + 2)]) : image);
  const stack = (parts: readonly Tensor[], width: number) =>
    merged
      ? concat(
          parts.map((part) => reshape(part, [width, batch * positions])),
          0,
        ) // [K * width, N * P]
      : reshape(
          concat(
            parts.map((part) => reshape(part, [batch, group, 1, width / group, positions])),
            2,
          ),
          [batch, group, -1, positions],
        ); // [N, G, K * width / G, P]

  const left = stack(shifts(lead(d), onD, { padded, dilations, kernel_shape }), filters);
  const right = stack(patches(lead(padded), window, { counts, along: onX }), channels);
  const product = merged ? gemm(left, right, { transB: true }) : sum(matmul(left, right, { transB: true }), [0]);

  // [G, places on d, M / G, places on x, C / G] -> [G, M / G, C / G, kernel in order]
  const size = (axes: readonly number[]) => axes.map((axis) => kernel_shape[axis] ?? 1);
  const split = reshape(product, [group, ...size(onD), filters / group, ...size(onX), channels / group]);
  const order = kernel_shape.map((_, axis) =>
    onD.includes(axis) ? 1 + onD.indexOf(axis) : 2 + onD.length + onX.indexOf(axis),
  );
  const ordered = transpose(split, [0, 1 + onD.length, 2 + kernel_shape.length, ...order]);
  return reshape(ordered, [filters, channels / group, ...kernel_shape]);
}

/** The axes to unfold on x, so that the fewest elements are copied; axes with a stride have no choice. */
function unfoldedAxes(
  { kernel_shape, strides }: WindowAttributes,
  { channels, filters }: { channels: number; filters: number },
): readonly number[] {
  const axes = [...kernel_shape.keys()];
  const choices = Array.from({ length: 2 ** axes.length }, (_, bits) => axes.filter((axis) => (bits >> axis) & 1));
  const allowed = choices.filter((onX) => axes.every((axis) => onX.includes(axis) || strides[axis] === 1));
  const copies = (onX: readonly number[]) => {
    const places = (chosen: boolean) => sizeOf(kernel_shape.filter((_, axis) => onX.includes(axis) === chosen));
    return channels * places(true) + filters * places(false);
  };
  return allowed.reduce((best, onX) => (copies(onX) < copies(best) ? onX : best), axes);
}

/** d moved to every place of the kernel's axes in `along` (row-major), with zeros around: as long there as the padded x. */
function shifts(
  d: Tensor,
  along: readonly number[],
  window: Pick<WindowAttributes, 'kernel_shape' | 'dilations'> & { padded: Tensor },
): readonly Tensor[] {
  return along.reduce<readonly Tensor[]>(
    (parts, axis) => {
      const [places = 1, dilation = 1] = [window.kernel_shape[axis], window.dilations[axis]];
      return parts.flatMap((part) =>
        Array.from({ length: places }, (_, place) =>
          pad(
            part,
            part.shape.map((_, i) =>
              i === axis + 2 ? ([place * dilation, (places - 1 - place) * dilation] as const) : ([0, 0] as const),
            ),
          ),
        ),
      );
    },
    [d],
  );
}
