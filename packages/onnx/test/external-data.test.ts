/**
 * What ONNX Runtime accepts as external data of a model that is loaded from memory. The rule of `externalDataLayout` rests
 * on these findings, so each is held here: should an upgrade change one, this is where it shows.
 */
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../src/safetensors/checkpoint.ts';
import { externalDataLayout } from '../src/safetensors/external-data.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const FLOAT = 1;

interface Weight {
  readonly location: string;
  readonly offset: number;
  /** Elements; 2 unless told. */
  readonly size?: number;
  /** In bytes; what the elements need unless told. */
  readonly length?: number;
}

/** y_i = x + weight_i, so that no weight is folded away when the session is made. */
function modelOf(weights: readonly Weight[]): Uint8Array {
  const value = (name: string) =>
    create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, {
        value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: FLOAT }) },
      }),
    });
  const initializer = weights.map(({ location, offset, size = 2, length = size * 4 }, i) =>
    create(TensorProtoSchema, {
      name: `w${i}`,
      dataType: FLOAT,
      dims: [BigInt(size)],
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries({ location, offset: `${offset}`, length: `${length}` }).map(([key, text]) =>
        create(StringStringEntryProtoSchema, { key, value: text }),
      ),
    }),
  );
  const graph = create(GraphProtoSchema, {
    name: 'sums',
    initializer,
    input: [value('x')],
    output: weights.map((_, i) => value(`y${i}`)),
    node: weights.map((_, i) => create(NodeProtoSchema, { opType: 'Add', input: ['x', `w${i}`], output: [`y${i}`] })),
  });
  const opset = create(OperatorSetIdProtoSchema, { domain: '', version: 21n });
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 10n, opsetImport: [opset], graph }));
}

function load(folder: string, weights: readonly Weight[]): Promise<InferenceSession> {
  const extra = { session: { model_external_initializers_file_folder_path: folder } };
  return InferenceSession.create(modelOf(weights), { logSeverityLevel: 4, extra });
}

/** The values of the weights as ONNX Runtime sees them. */
async function run(session: InferenceSession): Promise<readonly (readonly number[])[]> {
  const outputs = await session.run({ x: new Tensor('float32', [0], [1]) });
  return Object.values(outputs).map(({ data }) => Array.from(data, Number));
}

async function weightsSeen(folder: string, weights: readonly Weight[]): Promise<readonly (readonly number[])[]> {
  const session = await load(folder, weights);
  try {
    return await run(session);
  } finally {
    await session.release();
  }
}

/** Writes floats after `before` other bytes. */
async function writeFloats(path: string, values: readonly number[], before = 0): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.concat([Buffer.alloc(before, 0xff), Buffer.from(Float32Array.from(values).buffer)]));
  return path;
}

describe('ONNX Runtime accepts', () => {
  test.each([0, 1, 2, 3, 4, 7, 4095, 4097])('values from byte %i', async (offset) => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1.5, -2], offset);
    expect(await weightsSeen(directory.path, [{ location: 'w', offset }])).toEqual([[1.5, -2]]);
  });

  test('values beyond 4 GiB', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'w');
    const offset = 2 ** 32 + 3;
    await writeFile(path, '');
    await truncate(path, offset);
    await writeFile(path, Buffer.from(Float32Array.of(1.5, -2).buffer), { flag: 'a' });
    expect(await weightsSeen(directory.path, [{ location: 'w', offset }])).toEqual([[1.5, -2]]);
  });

  test('several files, in subfolders, of any name', async () => {
    await using directory = await temporaryDirectory();
    const locations = ['a/1', 'a/b/2', 'c/3', 'ü 日本/%20', 'back\\slash', '..hidden'];
    for (const [i, location] of locations.entries()) await writeFloats(join(directory.path, location), [i, -i]);
    const seen = await weightsSeen(
      directory.path,
      locations.map((location) => ({ location, offset: 0 })),
    );
    expect(seen).toEqual(locations.map((_, i) => [i, 0 - i]));
  });

  test('a link to a file within the folder', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1, 2]);
    await symlink('w', join(directory.path, 'link'));
    expect(await weightsSeen(directory.path, [{ location: 'link', offset: 0 }])).toEqual([[1, 2]]);
  });
});

describe('ONNX Runtime refuses', () => {
  const escapes = /escapes model directory/;

  test('an absolute location, even within the folder', async () => {
    await using directory = await temporaryDirectory();
    const location = await writeFloats(join(directory.path, 'w'), [1, 2]);
    await expect(load(directory.path, [{ location, offset: 0 }])).rejects.toThrow(/Absolute path not allowed/);
  });

  test('a location that leaves the folder by ..', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1, 2]);
    const folder = join(directory.path, 'sub');
    await mkdir(folder);
    await expect(load(folder, [{ location: '../w', offset: 0 }])).rejects.toThrow(escapes);
  });

  test('a link to a file outside the folder, which is how the cache of Hugging Face looks', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'blobs', 'w'), [1, 2]);
    const folder = join(directory.path, 'snapshots', 'main');
    await mkdir(folder, { recursive: true });
    await symlink('../../blobs/w', join(folder, 'link'));
    await expect(load(folder, [{ location: 'link', offset: 0 }])).rejects.toThrow(escapes);
  });

  test('a range beyond the end of the file, so a truncated file too', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1, 2]);
    for (const offset of [1, 8, 100])
      await expect(load(directory.path, [{ location: 'w', offset }])).rejects.toThrow(/out of bounds/);
  });

  test('a length that is not that of the elements', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1, 2]);
    await expect(load(directory.path, [{ location: 'w', offset: 0, length: 4 }])).rejects.toThrow(/size mismatch/);
  });

  test('a file that is not there', async () => {
    await using directory = await temporaryDirectory();
    await expect(load(directory.path, [{ location: 'w', offset: 0 }])).rejects.toThrow(/does not exist/);
  });

  test('a tensor of no bytes: it must be embedded', async () => {
    await using directory = await temporaryDirectory();
    await writeFloats(join(directory.path, 'w'), [1, 2]);
    await expect(load(directory.path, [{ location: 'w', offset: 4, size: 0 }])).rejects.toThrow(/end of file/);
  });
});

describe('a session maps its files', () => {
  test('so it keeps its weights when a file is replaced or removed', async () => {
    await using directory = await temporaryDirectory();
    const path = await writeFloats(join(directory.path, 'w'), [1, 2]);
    const session = await load(directory.path, [{ location: 'w', offset: 0 }]);
    await rename(await writeFloats(join(directory.path, 'new'), [3, 4]), path);
    expect(await run(session)).toEqual([[1, 2]]);
    await rm(path);
    expect(await run(session)).toEqual([[1, 2]]);
    await session.release();
  });

  test('and sees new values when a file is overwritten in place', async () => {
    await using directory = await temporaryDirectory();
    const path = await writeFloats(join(directory.path, 'w'), [1, 2]);
    const session = await load(directory.path, [{ location: 'w', offset: 0 }]);
    await writeFile(path, Buffer.from(Float32Array.of(3, 4).buffer), { flag: 'r+' });
    expect(await run(session)).toEqual([[3, 4]]);
    await session.release();
  });
});

describe('externalDataLayout gives what ONNX Runtime accepts', () => {
  test.each([
    ['one folder', ['m/1', 'm/2']],
    ['a folder and its subfolder', ['m/1', 'm/sub/2']],
    ['folders side by side', ['base/1', 'adapter/2']],
    ['folders whose names begin alike', ['model/1', 'model-2/2']],
    ['odd names', ['ü 日本/%20', '..odd/back\\slash']],
  ])('for files in %s', async (_, names) => {
    await using directory = await temporaryDirectory();
    const files = names.map((name) => join(directory.path, name));
    for (const [i, file] of files.entries()) await writeFloats(file, [i, i + 0.5], 3);
    const { folder, locations } = externalDataLayout(files);
    const weights = files.map((file) => ({ location: locations.get(file) ?? '', offset: 3 }));
    expect(await weightsSeen(folder, weights)).toEqual(files.map((_file, i) => [i, i + 0.5]));
  });

  test('for files with nothing but the root in common', async () => {
    await using directory = await temporaryDirectory();
    const file = await writeFloats(join(directory.path, 'w'), [1, 2]);
    const { folder, locations } = externalDataLayout([file, '/elsewhere/not/used']);
    expect(folder).toBe('/');
    expect(await weightsSeen(folder, [{ location: locations.get(file) ?? '', offset: 0 }])).toEqual([[1, 2]]);
  });

  test('for a sharded checkpoint in the cache of Hugging Face together with an adapter elsewhere', async () => {
    await using directory = await temporaryDirectory();
    const repository = join(directory.path, 'hub', 'models--org--name');
    const snapshot = join(repository, 'snapshots', 'main');
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(repository, 'blobs'));
    const writeOne = async (path: string, name: string, values: readonly number[]) => {
      // The header is not padded, so that the values begin at an odd byte.
      const header = JSON.stringify({ [name]: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }).padEnd(65);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      await writeFile(
        path,
        Buffer.concat([length, Buffer.from(header), Buffer.from(Float32Array.from(values).buffer)]),
      );
    };
    for (const [i, blob] of ['aaaa', 'bbbb'].entries()) {
      await writeOne(join(repository, 'blobs', blob), blob, [i, 10 * i]);
      await symlink(`../../blobs/${blob}`, join(snapshot, `${blob}.safetensors`));
    }
    const map = { aaaa: 'aaaa.safetensors', bbbb: 'bbbb.safetensors' };
    await writeFile(join(snapshot, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    await writeOne(join(directory.path, 'adapter.safetensors'), 'lora', [7, 8]);

    const model = await openCheckpoint(snapshot);
    const adapter = await openCheckpoint(join(directory.path, 'adapter.safetensors'));
    const entries = [...model.tensors.values(), ...adapter.tensors.values()];
    expect(entries.map(({ offset }) => offset % 2)).toEqual([1, 1, 1]);
    const { folder, locations } = externalDataLayout(entries.map(({ file }) => file));
    const weights = entries.map(({ file, offset }) => ({ location: locations.get(file) ?? '', offset }));
    expect(folder).toBe(directory.path);
    expect(await weightsSeen(folder, weights)).toEqual([
      [0, 0],
      [1, 10],
      [7, 8],
    ]);
  });
});
