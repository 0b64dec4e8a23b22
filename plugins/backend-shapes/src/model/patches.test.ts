import { createGraph, input, output, Runtime, reshape } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { runGraph } from '../../test/tiny-model.ts';
import { fromPatches, toPatches } from './patches.ts';

const shape = [2, 3, 64, 64];
const data = Uint8Array.from({ length: 2 * 12288 }, (_, i) => (i * 37 + (i >> 8)) % 256);

it('cuts images into cells row by row, and puts them together again', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const graph = createGraph();
  const patches = toPatches(input(graph, 'pixels', { dtype: 'uint8', shape }));
  output('patches', patches);
  output('images', reshape(fromPatches(patches), [-1]));
  const result = await runGraph(runtime, graph, { pixels: { dtype: 'uint8', shape, data } });
  const scaled = (index: number) => (data[index] ?? 0) / 127.5 - 1;

  expect(result.patches?.shape).toEqual([32, 768]);
  const values = Array.from(result.images?.data ?? [], Number);
  expect(values).toHaveLength(data.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(scaled(i), 6);
  // Image 1, cell (row 2, column 3), channel 1, pixel (row 5, column 11) of the cell.
  const patch = 16 + 2 * 4 + 3;
  expect(Number(result.patches?.data[patch * 768 + 256 + 5 * 16 + 11])).toBeCloseTo(
    scaled(12288 + 4096 + (2 * 16 + 5) * 64 + 3 * 16 + 11),
    6,
  );
});
