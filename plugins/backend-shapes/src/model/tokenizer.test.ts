import { compile, createGraph, input, output, Runtime, tensorData, toNumbers } from '@gvu/onnx';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { codesOf, nearestCodes } from './tokenizer.ts';

const [rows, codes, latent] = [5, 7, 3];
const vectors = (count: number) =>
  fc.array(fc.integer({ min: -40, max: 40 }), { minLength: count * latent, maxLength: count * latent });

it('finds the code with the least Euclidean distance', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const graph = createGraph();
  const table = input(graph, 'codebook', { dtype: 'float32', shape: [codes, latent] });
  const found = nearestCodes(input(graph, 'latents', { dtype: 'float32', shape: [rows, latent] }), table);
  output('indices', found);
  output('codes', codesOf(table, found));
  await using session = await runtime.load(compile(graph));
  await fc.assert(
    fc.asyncProperty(vectors(rows), vectors(codes), async (latents, codebook) => {
      const feeds = {
        latents: tensorData('float32', [rows, latent], latents),
        codebook: tensorData('float32', [codes, latent], codebook),
      };
      const result = await session.run<'indices' | 'codes'>(feeds);
      const vector = (of: number[], at: number) => of.slice(at * latent, (at + 1) * latent);
      toNumbers(result.indices).forEach((index, row) => {
        const distances = Array.from({ length: codes }, (_, code) =>
          vector(codebook, code).reduce((sum, x, i) => sum + (x - (vector(latents, row)[i] ?? 0)) ** 2, 0),
        );
        expect(distances[index]).toBe(Math.min(...distances));
        const chosen = toNumbers(result.codes);
        expect(vector(chosen, row)).toEqual(vector(codebook, index));
      });
    }),
    { numRuns: 30, seed: 20261123 },
  );
});
