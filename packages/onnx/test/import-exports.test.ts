/**
 * Models as PyTorch exports them (made by `tools/onnx-exports/export.py`, weights random): imported, they give what PyTorch
 * gave, on the CPU and in the form for CUDA; and gradients can be taken through them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gradients } from '../src/autodiff/grad.ts';
import { importModel } from '../src/codec/import-model.ts';
import { readModel } from '../src/codec/read-model.ts';
import { createGraph, input, output, type Target } from '../src/graph/graph.ts';
import { mul } from '../src/ops/arithmetic.ts';
import { sum } from '../src/ops/linear.ts';
import { openSafetensors, readTensors } from '../src/safetensors/reader.ts';
import { type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { assertCudaReady } from './cuda-ready.ts';
import { runGraph } from './run-graph.ts';
import { importAndRun } from './run-model.ts';

const folder = join(import.meta.dirname, 'exports');
const names = readdirSync(folder).flatMap((file) => (file.endsWith('.onnx') ? [file.slice(0, -5)] : []));

interface Exported {
  readonly model: Uint8Array;
  readonly feeds: Record<string, TensorData>;
  readonly expected: readonly number[];
}

async function read(name: string): Promise<Exported> {
  const model = new Uint8Array(readFileSync(join(folder, `${name}.onnx`)));
  const file = await openSafetensors(join(folder, `${name}.safetensors`));
  const { y, ...feeds } = Object.fromEntries(await readTensors(file.tensors.values()));
  if (!y) throw new Error(`${name} has no output`);
  return { model, feeds, expected: toNumbers(y) };
}

function expectClose(results: TensorData | undefined, expected: readonly number[]): void {
  const values = results ? toNumbers(results) : [];
  expect(values).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs((values[i] ?? Number.NaN) - value)).toBeLessThan(2e-5);
}

describe.each(names)('%s', (name) => {
  test.each<Target>(['cpu', 'cuda', 'reference'])('gives what PyTorch gave, on %s', async (target) => {
    const { model, feeds, expected } = await read(name);
    const { graph, results } = await importAndRun(model, feeds, { target });
    expectClose(results.y, expected);
    if (target === 'cuda') assertCudaReady(graph);
  });
});

test('what is imported can be differentiated', async () => {
  const { model, feeds } = await read('clip-trace-17');
  const pixels = feeds.pixel_values;
  if (!pixels) throw new Error('no image');
  const build = () => {
    const graph = createGraph({ target: 'reference' });
    const inputs = Object.fromEntries(Object.entries(feeds).map(([key, data]) => [key, input(graph, key, data)]));
    const { y } = importModel(graph, model, { inputs });
    const image = inputs.pixel_values;
    if (!y || !image) throw new Error('no output');
    const loss = sum(mul(y, y));
    output('loss', loss);
    for (const [i, gradient] of gradients(loss, [image]).entries()) output(`gradient_${i}`, gradient);
    return graph;
  };
  const { loss, gradient_0: gradient } = await runGraph(build(), feeds);
  // Along its own direction, the loss changes by the squared norm of the gradient.
  const direction = gradient ? toNumbers(gradient) : [];
  const slope = direction.reduce((total, value) => total + value * value, 0);
  const step = 1e-2 / Math.sqrt(slope);
  const moved = async (sign: number) => {
    const image = toNumbers(pixels).map((value, i) => value + sign * step * (direction[i] ?? 0));
    const result = await runGraph(build(), { ...feeds, pixel_values: tensorData('float32', pixels.shape, image) });
    return result.loss ? (toNumbers(result.loss)[0] ?? Number.NaN) : Number.NaN;
  };
  const difference = ((await moved(1)) - (await moved(-1))) / (2 * step);
  expect(slope).toBeGreaterThan(1e-3);
  expect(Math.abs(difference - slope) / slope).toBeLessThan(2e-2);
  expect(loss).toBeDefined();
});

test('they are of the kinds that they are meant to be', () => {
  const kinds = names.map((name) => {
    const { opsets, producer, operators } = readModel(new Uint8Array(readFileSync(join(folder, `${name}.onnx`))));
    const attention = operators.some(({ op }) => op === 'Attention');
    return `${name}: ${producer.split(' ')[0]} ${opsets['']}${attention ? ', Attention' : ''}`;
  });
  expect(kinds).toMatchInlineSnapshot(`
    [
      "bert-trace-14: pytorch 14",
      "clip-trace-11: pytorch 11",
      "clip-trace-17: pytorch 17",
      "llama-export-18: pytorch 18",
      "vit-export-23: pytorch 23, Attention",
    ]
  `);
});
