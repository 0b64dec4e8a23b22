import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGraph, input, output, weight } from '../graph/graph.ts';
import { add } from '../ops/arithmetic.ts';
import { Runtime } from '../runtime/runtime.ts';
import { tensorData, toNumbers } from '../tensor-data.ts';
import { compile } from './encode.ts';
import { fileProgram } from './file-program.ts';

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-file-program-'));
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

it('is run as it lies there, with its own names', async () => {
  const graph = createGraph({ name: 'sum' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [2] });
  output('y', add(x, weight(graph, 'w', tensorData('float32', [2], [10, 20]))));
  const path = join(folder, 'sum.onnx');
  await writeFile(path, compile(graph).model);
  const program = await fileProgram(path);
  expect(program).toMatchObject({
    name: 'sum.onnx',
    inputs: [{ name: 'x', dtype: 'float32', shape: [2] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [2] }],
  });
  await using session = await runtime.load(program);
  const { y } = await session.run<'y'>({ x: tensorData('float32', [2], [1, 2]) });
  expect(toNumbers(y)).toEqual([11, 22]);
});

it('refuses what is not there, is no model, or keeps weights elsewhere', async () => {
  await expect(fileProgram(join(folder, 'none.onnx'))).rejects.toThrow(/GVU_MODEL_FILES.*none.onnx/);
  const path = join(folder, 'text.onnx');
  await writeFile(path, 'not a model');
  await expect(fileProgram(path)).rejects.toThrow(/GVU_MODEL_BROKEN/);
});
