/** How models are loaded: weights in files, and the options of sessions. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { Runtime } from '../src/runtime/runtime.ts';
import { sessionOptions } from '../src/runtime/session-options.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { type TinyNode, tinyModel, tinyProgram, value } from './tiny-program.ts';

describe('weights in a file', () => {
  test('are used in place: two training sessions hold them once', async () => {
    await using directory = await temporaryDirectory();
    const side = 2048;
    const bytes = side * side * 4; // 16 MB each
    const count = 4;
    const weights = new Float32Array(side * side * count).map((_, i) => ((i % 7) - 3) / side);
    // The tensors begin at an odd place, as in files of other programs.
    await writeFile(
      join(directory.path, 'weights.bin'),
      Buffer.concat([Buffer.alloc(13), Buffer.from(weights.buffer)]),
    );
    const layer = (i: number) => ({
      name: `w${i}`,
      dtype: 'float32' as const,
      shape: [side, side],
      data: { location: 'weights.bin', offset: 13 + i * bytes, length: bytes },
    });
    const inputs = [value('x', 'float32', [1, side])];
    const outputs = [value('y', 'float32', [1, side])];
    const model = tinyModel({
      inputs,
      outputs,
      nodes: Array.from({ length: count }, (_, i) => [
        'MatMul',
        [i === 0 ? 'x' : `h${i}`, `w${i}`],
        [i === count - 1 ? 'y' : `h${i + 1}`],
      ]),
      initializers: Array.from({ length: count }, (_, i) => layer(i)),
    });
    const program = { name: 'external', model, inputs, outputs, externalFolder: directory.path };
    await using runtime = await Runtime.create();
    const x = { dtype: 'float32', shape: [1, side], data: new Float32Array(side).fill(1) } as const;

    await using first = await runtime.load(program, { use: 'training' });
    await using second = await runtime.load(program, { use: 'training' });
    await using packed = await runtime.load(program, { use: 'inference' });
    const results = [];
    for (const session of [first, second, packed]) results.push((await session.run({ x }, { fetch: ['y'] })).y.data);
    expect(results[1]).toEqual(results[0]);
    // Only packing for inference makes a copy of the weights.
    expect(first.rssGrowthBytes).toBeLessThan(0.15 * bytes * count);
    expect(second.rssGrowthBytes).toBeLessThan(0.15 * bytes * count);
    expect(packed.rssGrowthBytes).toBeGreaterThan(0.85 * bytes * count);
    expect(runtime.memory().peakRssBytes).toBeGreaterThanOrEqual(runtime.memory().rssBytes);
  });

  test('that are missing are a clear error', async () => {
    await using directory = await temporaryDirectory();
    const inputs = [value('x', 'float32', [1, 2])];
    const outputs = [value('y', 'float32', [1, 2])];
    const data = { location: 'nowhere.bin', length: 16 };
    const nodes: TinyNode[] = [['MatMul', ['x', 'w'], ['y']]];
    const initializers = [{ name: 'w', dtype: 'float32' as const, shape: [2, 2], data }];
    const program = tinyProgram('external', { inputs, outputs, nodes, initializers });
    await using runtime = await Runtime.create();
    await expect(runtime.load({ ...program, externalFolder: directory.path })).rejects.toMatchObject({
      code: 'GVU_RUNTIME_LOAD',
      message: expect.stringContaining('nowhere.bin'),
    });
  });
});

describe('the options of sessions', () => {
  test('disabled optimisers leave the model alone', async () => {
    await using directory = await temporaryDirectory();
    const inputs = [value('x', 'float32', [2, 2])];
    const model = tinyModel({
      inputs,
      outputs: [value('y', 'float32', [2, 2])],
      nodes: [
        ['MatMul', ['x', 'w'], ['product']],
        ['Add', ['product', 'b'], ['y']],
      ],
      initializers: [
        { name: 'w', dtype: 'float32', shape: [2, 2], data: new Float32Array(4) },
        { name: 'b', dtype: 'float32', shape: [2], data: new Float32Array(2) },
      ],
    });
    const optimised = async (disabledOptimizers: string[]) => {
      const optimizedModelFilePath = join(directory.path, 'optimised.onnx');
      const options = sessionOptions({ use: 'training', device: 'cpu', threads: 1 }, { disabledOptimizers });
      const session = await InferenceSession.create(model, { ...options, optimizedModelFilePath });
      await session.release();
      const { graph } = fromBinary(ModelProtoSchema, await readFile(optimizedModelFilePath));
      return graph?.node.map(({ opType }) => opType);
    };
    expect(await optimised([])).toEqual(['Gemm']);
    expect(await optimised(['MatMulAddFusion', 'EliminateIdentity'])).toEqual(['MatMul', 'Add']);
  });
});
