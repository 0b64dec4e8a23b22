import { createGraph, input, output, Runtime, reshape } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { runGraph } from '../../test/tiny-model.ts';
import { fromPatches, toPatches } from './patches.ts';

const shape = [2, 3, 32, 32];
const data = Uint8Array.from({ length: 2 * 3072 }, (_, i) => (i * 37 + (i >> 8)) % 256);

it('cuts images into cells row by row, and puts them together again', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const graph = createGraph();
  const patches = toPatches(input(graph, 'pixels', { dtype: 'uint8', shape }));
  output('patches', patches);
  output('images', reshape(fromPatches(patches), [-1]));
  const result = await runGraph(runtime, graph, { pixels: { dtype: 'uint8', shape, data } });
  const scaled = (index: number) => (data[index] ?? 0) / 127.5 - 1;

  expect(result.patches?.shape).toEqual([128, 48]);
  const values = Array.from(result.images?.data ?? [], Number);
  expect(values).toHaveLength(data.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(scaled(i), 6);
  // Image 1, cell (row 2, column 3), channel 1, pixel (row 3, column 2) of the cell.
  const patch = 64 + 2 * 8 + 3;
  expect(Number(result.patches?.data[patch * 48 + 16 + 3 * 4 + 2])).toBeCloseTo(
    scaled(3072 + 1024 + (2 * 4 + 3) * 32 + 3 * 4 + 2),
    6,
  );
});
