import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Checkpoint,
  createGraph,
  openCheckpoint,
  output,
  printGraph,
  tensorData,
  writeSafetensors,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpointWeights, checkWeights } from './checkpoint-weights.ts';

let folder: string;
let checkpoint: Checkpoint;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'gvu-')));
  await writeSafetensors(join(folder, 'model.safetensors'), {
    plain: tensorData('float32', [2, 3], [1, 2, 3, 4, 5, 6]),
    half: tensorData('bfloat16', [2], [1, 2]),
    flat: tensorData('float32', [6], [1, 2, 3, 4, 5, 6]),
  });
  checkpoint = await openCheckpoint(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('checkWeights', () => {
  it('takes the tensors that are there, and leaves others alone', () => {
    checkWeights(checkpoint, [
      { name: 'plain', shape: [2, 3] },
      { name: 'half', shape: [2] },
    ]);
  });

  it('names every tensor that is missing or misshapen', () => {
    const expected = [
      { name: 'plain', shape: [3, 2] },
      { name: 'flat', shape: [2, 3] },
      { name: 'half', shape: [2] },
      { name: 'none', shape: [1] },
    ];
    expect(() => checkWeights(checkpoint, expected)).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_MODEL_WEIGHTS: 3 tensor(s) of the checkpoint cannot be used: 'plain' is [2, 3], not [3, 2]; 'flat' is [6], not [2, 3]; 'none' is missing. The files belong to another model, or config.json to other files.]`,
    );
  });

  it('refuses dtypes that cannot be computed with', () => {
    const entry = checkpoint.tensors.get('half');
    if (!entry) throw new Error('it was written above');
    const eight = { ...entry, dtype: undefined, fileDType: 'F8_E4M3' as const };
    const whole = { ...entry, dtype: 'int64', fileDType: 'I64' } as const;
    for (const found of [eight, whole])
      expect(() =>
        checkWeights({ files: [], tensors: new Map([['half', found]]) }, [{ name: 'half', shape: [2] }]),
      ).toThrowError(`'half' is ${found.fileDType}, which cannot be computed with`);
  });
});

describe('checkpointWeights', () => {
  it('leaves weights in their files, cast where the computation wants another dtype', () => {
    const graph = createGraph({ name: 'weights' });
    const source = checkpointWeights(graph, checkpoint);
    output('a', source('plain', [2, 3]));
    output('b', source('half', [2]));
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph weights (cpu, operator set 23)
        weight plain: float32[2, 3]
        weight half: bfloat16[2]
        Cast: float32[2] = Cast(half, to=float32)
        output a: plain
        output b: Cast"
    `);
    expect(graph.weights.get('plain')?.source).toMatchObject({
      kind: 'weight',
      data: { file: join(folder, 'model.safetensors') },
    });
  });

  it('refuses at once a name or a shape that the checkpoint does not have', () => {
    const source = checkpointWeights(createGraph(), checkpoint);
    expect(() => source('none', [1])).toThrowError(/GVU_MODEL_WEIGHTS.*'none' is missing/);
    expect(() => source('plain', [6])).toThrowError(/GVU_MODEL_WEIGHTS.*'plain' is \[2, 3\], not \[6\]/);
  });
});
