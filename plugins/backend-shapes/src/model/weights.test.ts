import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import { openSafetensors, Runtime } from '@gvu/onnx';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tinyConfig, tinyModel, tinyValues } from '../../test/tiny-model.ts';
import { imageTokens, modelParameters } from './config.ts';
import { openModel, writeModel } from './weights.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-shapes-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('opens what it has written, in half precision', async () => {
  const extra = tinyValues().set('auxiliary.0.bias', { dtype: 'float32', shape: [1], data: Float32Array.of(1) });
  await writeModel(folder, tinyConfig, extra);
  const { tensors } = await openSafetensors(join(folder, 'model.safetensors'));
  expect([...tensors.keys()].sort()).toEqual(
    modelParameters(tinyConfig)
      .map(({ name }) => name)
      .sort(),
  );
  expect([...tensors.values()].every(({ dtype }) => dtype === 'float16')).toBe(true);

  await using runtime = await Runtime.create({ threads: 1 });
  const opened = await openModel(runtime, folder);
  expect(opened.config).toEqual(tinyConfig);
  const codes = Array.from({ length: imageTokens }, (_, i) => i % 8);
  const row = { codes, instruction: [3], answer: [4, 5, 6] };
  const [[got], [expected]] = [await opened.read([row]), await tinyModel(runtime).read([row])];
  expect(got).toHaveLength(4);
  got?.forEach((value, i) => {
    expect(Math.abs(value - (expected?.[i] ?? 0))).toBeLessThan(0.05);
  });
  const address = randomStream(1, 'test').at();
  const [[image], [original]] = [
    await opened.decode([codes], [address]),
    await tinyModel(runtime).decode([codes], [address]),
  ];
  const differences = Array.from(image ?? [], (value, i) => Math.abs(value - (original?.[i] ?? 0)));
  expect(Math.max(...differences)).toBeLessThanOrEqual(4);
});

it('writes the same bytes again', async () => {
  await writeModel(folder, tinyConfig, tinyValues());
  const first = await readFile(join(folder, 'model.safetensors'));
  await writeModel(folder, tinyConfig, tinyValues());
  expect(await readFile(join(folder, 'model.safetensors'))).toEqual(first);
});

describe('refuses', () => {
  it('to write a model that lacks a tensor', async () => {
    const values = tinyValues();
    values.delete('flow.norm.weight');
    await expect(writeModel(folder, tinyConfig, values)).rejects.toThrow(
      expect.objectContaining({ code: 'GVU_SHAPES_MODEL', message: expect.stringContaining('flow.norm.weight') }),
    );
  });

  it.each([
    ['an empty folder', undefined, 'GVU_SHAPES_MODEL'],
    ['text', 'not JSON', 'GVU_SHAPES_MODEL'],
    ['another model', '{"model_type": "llama"}', 'GVU_SHAPES_MODEL'],
    ['null', 'null', 'GVU_SHAPES_MODEL'],
    ['an unknown key', '{"model_type": "gvu-shapes", "layers": 3}', 'GVU_CONFIG_INVALID'],
    ['other sizes than the weights', '{"model_type": "gvu-shapes"}', 'GVU_MODEL_WEIGHTS'],
  ])('%s', async (_, config, code) => {
    await writeModel(folder, tinyConfig, tinyValues());
    await rm(join(folder, 'config.json'));
    if (config !== undefined) await writeFile(join(folder, 'config.json'), config);
    await using runtime = await Runtime.create({ threads: 1 });
    await expect(openModel(runtime, folder)).rejects.toThrow(expect.objectContaining({ code }));
  });
});
