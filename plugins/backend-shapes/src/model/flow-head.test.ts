import { createModules } from '@gvu/models';
import {
  constant,
  createGraph,
  input,
  output,
  Runtime,
  type TensorData,
  tensorData,
  toNumbers,
  weight,
} from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGraph, tinyConfig, tinyValues } from '../../test/tiny-model.ts';
import { imageTokens, patchSize } from './config.ts';
import { flowPatches, neighbourhoods, predictPatches } from './flow-head.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

const { latent } = tinyConfig.tokenizer;
const numbers = (tensor: TensorData | undefined) => (tensor ? toNumbers(tensor) : []);
const wave = (shape: number[], scale: number) =>
  tensorData(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(i * 1.7)),
  );

it('gives each code the eight around it, and zeros beyond the border', async () => {
  const graph = createGraph();
  output('around', neighbourhoods(input(graph, 'codes', { dtype: 'float32', shape: [32, 1] })));
  const codes = tensorData(
    'float32',
    [32, 1],
    Array.from({ length: 32 }, (_, i) => i + 1),
  );
  const around = numbers((await runGraph(runtime, graph, { codes })).around);
  const of = (cell: number) => around.slice(cell * 9, cell * 9 + 9);
  expect(of(0)).toEqual([0, 0, 0, 0, 1, 2, 0, 5, 6]);
  expect(of(15)).toEqual([11, 12, 0, 15, 16, 0, 0, 0, 0]);
  expect(of(16 + 5)).toEqual([17, 18, 19, 21, 22, 23, 25, 26, 27]);
  expect(of(16)).toEqual([0, 0, 0, 0, 17, 18, 0, 21, 22]); // nothing of the image before
});

it("follows Euler's steps and ends on a prediction", async () => {
  const values = tinyValues();
  const noise = wave([imageTokens, patchSize], 1);
  const codes = wave([imageTokens, latent], 0.5);
  const build = (run: (graph: ReturnType<typeof createGraph>) => void) => {
    const graph = createGraph();
    run(graph);
    return graph;
  };
  const modulesOf = (graph: ReturnType<typeof createGraph>) =>
    createModules(graph, (name) => weight(graph, name, values.get(name) ?? noise));
  const looped = build((graph) => {
    const inputs = {
      codes: input(graph, 'codes', { dtype: 'float32', shape: codes.shape }),
      noise: input(graph, 'noise', { dtype: 'float32', shape: noise.shape }),
    };
    output('patches', flowPatches(modulesOf(graph), inputs, tinyConfig.flow));
  });
  const step = (time: number) =>
    build((graph) => {
      const around = neighbourhoods(input(graph, 'codes', { dtype: 'float32', shape: codes.shape }));
      const noisy = input(graph, 'noisy', { dtype: 'float32', shape: noise.shape });
      const clock = constant(graph, 'float32', [imageTokens, 1], Array(imageTokens).fill(time));
      output('patches', predictPatches(modulesOf(graph), { noisy, time: clock, around }, tinyConfig.flow));
    });

  let now = toNumbers(noise);
  let predicted = now;
  for (let i = 0; i < tinyConfig.flow.steps; i++) {
    const time = i / tinyConfig.flow.steps;
    const noisy = tensorData('float32', noise.shape, now);
    predicted = numbers((await runGraph(runtime, step(time), { codes, noisy })).patches);
    now = now.map((value, at) => value + ((predicted[at] ?? 0) - value) / (1 - time) / tinyConfig.flow.steps);
  }
  const got = numbers((await runGraph(runtime, looped, { codes, noise })).patches);
  got.forEach((value, i) => {
    expect(Math.abs(value - (now[i] ?? Number.NaN))).toBeLessThan(1e-4);
    expect(Math.abs(value - (predicted[i] ?? Number.NaN))).toBeLessThan(1e-4);
  });
});
