/**
 * Many named tensors as one flat vector: the trainable values of a model, their gradient and the moments of the optimiser
 * each live in a single tensor [P]. The layout, a list of names and shapes, says where each one lies.
 */
import { type DType, dtypes } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { concat, reshape, split } from '../ops/movement.ts';
import { listed } from '../safetensors/listed.ts';
import { sizeOf, type TensorData, type TensorDataFor, tensorBytes, tensorFromBuffer } from '../tensor-data.ts';

export interface FlatEntry {
  readonly name: string;
  readonly shape: readonly number[];
}
export type FlatLayout = readonly FlatEntry[];

/** The number of values in the whole vector. */
export function flatSize(layout: FlatLayout): number {
  return layout.reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** The named tensors inside a flat vector [P]. */
export function unflatten(flat: Tensor, layout: FlatLayout): ReadonlyMap<string, Tensor> {
  const parts = split(
    flat,
    0,
    layout.map(({ shape }) => sizeOf(shape)),
  );
  return new Map(layout.map(({ name, shape }, i) => [name, reshape(parts[i] ?? flat, shape)]));
}

/**
 * Tensors, in the order of the layout, as one flat vector [P]. The parts are built from the last to the first, because what is
 * built first is executed first (see `codec/order.ts`): so the gradients of the last layer are taken before the backward pass
 * goes on, and what they read is not held until its end.
 */
export function flatten(tensors: readonly Tensor[]): Tensor {
  const parts = tensors.toReversed().map((tensor) => reshape(tensor, [-1]));
  return concat(parts.toReversed(), 0);
}

/**
 * The same on the host: named values of one dtype as one vector. Throws GVU_TENSOR_DATA naming every entry that is missing,
 * misshapen or too many.
 */
export function packFlat<D extends DType>(
  layout: FlatLayout,
  dtype: D,
  values: ReadonlyMap<string, TensorData>,
): TensorDataFor<D> {
  const problems: string[] = [];
  const bytes = new Uint8Array(flatSize(layout) * dtypes[dtype].bytes);
  let offset = 0;
  for (const { name, shape } of layout) {
    const tensor = values.get(name);
    if (!tensor) problems.push(`'${name}' is missing`);
    else if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join())
      problems.push(`'${name}' is ${tensor.dtype}[${tensor.shape.join(', ')}], not ${dtype}[${shape.join(', ')}]`);
    else bytes.set(tensorBytes(tensor), offset * dtypes[dtype].bytes);
    offset += sizeOf(shape);
  }
  const expected = new Set(layout.map(({ name }) => name));
  for (const name of values.keys()) if (!expected.has(name)) problems.push(`'${name}' is not expected`);
  if (problems.length > 0)
    throw onnxErrors.error('GVU_TENSOR_DATA', `The tensors do not fit the layout: ${listed(problems)}.`, {
      hint: 'The tensors belong to another model or adapter.',
      details: { problems },
    });
  return tensorFromBuffer(dtype, [offset], bytes.buffer);
}

/** The named tensors of a flat vector on the host, as views into it. */
export function unpackFlat(layout: FlatLayout, flat: TensorData): ReadonlyMap<string, TensorData> {
  if (flat.data.length !== flatSize(layout))
    throw onnxErrors.error(
      'GVU_TENSOR_DATA',
      `A flat vector of ${flat.data.length} values for a layout of ${flatSize(layout)}.`,
      { hint: 'It was packed with another layout.' },
    );
  let offset = 0;
  return new Map(
    layout.map(({ name, shape }) => {
      const data = flat.data.subarray(offset, offset + sizeOf(shape));
      offset += sizeOf(shape);
      // The array is of the same kind as that of `flat`, which is lost in the union of all kinds.
      return [name, { ...flat, shape, data } as TensorData];
    }),
  );
}
