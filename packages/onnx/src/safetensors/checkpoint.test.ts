import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { tensorData } from '../tensor-data.ts';
import { openCheckpoint } from './checkpoint.ts';
import { readTensors } from './reader.ts';
import { writeSafetensors } from './writer.ts';

const INDEX = 'model.safetensors.index.json';

/** Writes a shard with a tensor of one element for each value. */
async function writeShard(path: string, values: Readonly<Record<string, number>>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const tensors = Object.entries(values).map(([name, value]) => [name, tensorData('float32', [1], [value])] as const);
  await writeSafetensors(path, new Map(tensors));
}

async function writeIndex(root: string, weightMap: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFile(join(root, INDEX), JSON.stringify({ metadata: { total_size: 8.0 }, weight_map: weightMap }));
}

async function valuesOf(path: string): Promise<Readonly<Record<string, number>>> {
  const { tensors } = await openCheckpoint(path);
  const values = await readTensors(tensors.values());
  return Object.fromEntries([...values].map(([name, { data }]) => [name, Number(data[0])]));
}

describe('finds', () => {
  test('model.safetensors, and takes it where there is an index too', async () => {
    await using directory = await temporaryDirectory();
    await writeShard(join(directory.path, 'model.safetensors'), { a: 1, b: 2 });
    await writeFile(join(directory.path, INDEX), 'not even JSON');
    expect(await valuesOf(directory.path)).toEqual({ a: 1, b: 2 });
  });

  test('shards by their index, in subdirectories too', async () => {
    await using directory = await temporaryDirectory();
    await writeShard(join(directory.path, '1.safetensors'), { a: 1, c: 3 });
    await writeShard(join(directory.path, 'more', '2.safetensors'), { b: 2 });
    await writeIndex(directory.path, { b: 'more/2.safetensors', a: '1.safetensors', c: '1.safetensors' });
    const { files, tensors } = await openCheckpoint(directory.path);
    expect(files.map(({ file }) => basename(file))).toEqual(['2.safetensors', '1.safetensors']);
    expect([...tensors.keys()]).toEqual(['b', 'a', 'c']);
    expect(await valuesOf(directory.path)).toEqual({ a: 1, b: 2, c: 3 });
  });

  test('a file or an index of any name by its path', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'adapter_model.safetensors');
    await writeShard(path, { a: 1 });
    expect(await valuesOf(path)).toEqual({ a: 1 });
    const index = join(directory.path, 'diffusion_pytorch_model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: { a: 'adapter_model.safetensors' } }));
    expect(await valuesOf(index)).toEqual({ a: 1 });
  });

  test('a directory through a link', async () => {
    await using directory = await temporaryDirectory();
    const real = join(directory.path, 'real');
    await writeShard(join(real, 'model.safetensors'), { a: 1 });
    await symlink('real', join(directory.path, 'link'));
    const { tensors } = await openCheckpoint(join(directory.path, 'link'));
    expect(tensors.get('a')?.file).toBe(join(real, 'model.safetensors'));
  });

  test('nothing, and says what lies there instead', async () => {
    await using directory = await temporaryDirectory();
    const none = expect.objectContaining({ code: 'GVU_CHECKPOINT_MISSING' });
    await expect(openCheckpoint(join(directory.path, 'none'))).rejects.toEqual(none);
    await expect(openCheckpoint(directory.path)).rejects.toEqual(none);
    await writeFile(join(directory.path, 'pytorch_model.bin'), '');
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_MISSING',
      hint: expect.stringContaining('pytorch_model.bin'),
    });
  });
});

describe('shards and their index', () => {
  test('every missing and every broken shard is named at once', async () => {
    await using directory = await temporaryDirectory();
    await writeShard(join(directory.path, '1.safetensors'), { a: 1 });
    await writeShard(join(directory.path, '2.safetensors'), { b: 2 });
    await truncate(join(directory.path, '2.safetensors'), 70);
    await symlink('nowhere', join(directory.path, '3.safetensors'));
    await writeIndex(directory.path, {
      a: '1.safetensors',
      b: '2.safetensors',
      c: '3.safetensors',
      d: '4.safetensors',
      e: '4.safetensors',
    });
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_SHARDS',
      message: expect.stringMatching(/3 of the 4 shards.*[^.]\. Download/),
      details: {
        problems: [
          "'3.safetensors' is missing",
          "'4.safetensors' is missing",
          expect.stringMatching(/GVU_SAFETENSORS_SIZE.*2\.safetensors/),
        ],
      },
    });
  });

  test('every contradiction is named at once', async () => {
    await using directory = await temporaryDirectory();
    await writeShard(join(directory.path, '1.safetensors'), { a: 1, twice: 1, extra: 1 });
    await writeShard(join(directory.path, '2.safetensors'), { b: 2, twice: 2 });
    await writeIndex(directory.path, {
      a: '1.safetensors',
      b: '2.safetensors',
      twice: '2.safetensors',
      absent: '1.safetensors',
      constructor: '2.safetensors',
    });
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_INDEX',
      details: {
        problems: [
          "tensor 'absent' is not in '1.safetensors'",
          "tensor 'constructor' is not in '2.safetensors'",
          "tensor 'extra' of '1.safetensors' is not in the index",
          "tensor 'twice' is in '1.safetensors' too, beside '2.safetensors'",
        ],
      },
    });
  });

  test.each([
    ['nothing', ''],
    ['no JSON', '{"weight_map":'],
    ['no object', '[]'],
    ['no weight_map', '{"metadata":{}}'],
    ['a list as weight_map', '{"weight_map":["a"]}'],
    ['a tensor twice', '{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}'],
    ['a number as file', '{"weight_map":{"a":1}}'],
  ])('an index of %s is refused', async (_, index) => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, INDEX), index);
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_INDEX',
      message: expect.stringContaining(INDEX),
    });
  });

  test('an index that is a directory is refused', async () => {
    await using directory = await temporaryDirectory();
    await mkdir(join(directory.path, INDEX));
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({ code: 'GVU_CHECKPOINT_INDEX' });
  });

  test('names that leave the directory are refused, even to files that exist', async () => {
    await using directory = await temporaryDirectory();
    const root = join(directory.path, 'checkpoint');
    await writeShard(join(directory.path, 'secret.safetensors'), { a: 1 });
    await writeShard(join(root, 'own.safetensors'), { b: 1 });
    const names = [
      '../secret.safetensors',
      'sub/../../secret.safetensors',
      join(directory.path, 'secret.safetensors'),
      '..\\secret.safetensors',
      'C:\\secret.safetensors',
      'C:secret.safetensors',
      '\\\\server\\secret.safetensors',
      'own.safetensors\0',
      '',
    ];
    await writeIndex(root, Object.fromEntries(names.map((name, i) => [`t${i}`, name])));
    await expect(openCheckpoint(root)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_INDEX',
      details: { problems: names.map((name, i) => `tensor 't${i}' lies in '${name}', outside the directory`) },
    });
  });
});

describe('links', () => {
  /** A cache of Hugging Face with one model of two shards; the second snapshot has them in a subdirectory. */
  async function makeCache(root: string): Promise<{ repository: string; snapshot: string }> {
    const repository = join(root, 'hub', 'models--org--name');
    const snapshot = join(repository, 'snapshots', 'c0ffee');
    await mkdir(snapshot, { recursive: true });
    await writeShard(join(repository, 'blobs', 'aaaa'), { a: 1 });
    await writeShard(join(repository, 'blobs', 'bbbb'), { b: 2 });
    const map = { a: '1.safetensors', b: '2.safetensors' };
    await writeFile(join(repository, 'blobs', 'cccc'), JSON.stringify({ weight_map: map }));
    await symlink('../../blobs/aaaa', join(snapshot, '1.safetensors'));
    await symlink('../../blobs/bbbb', join(snapshot, '2.safetensors'));
    await symlink('../../blobs/cccc', join(snapshot, INDEX));
    return { repository, snapshot };
  }

  test('of the cache of Hugging Face lead to its blobs', async () => {
    await using directory = await temporaryDirectory();
    const { repository, snapshot } = await makeCache(directory.path);
    expect(await valuesOf(snapshot)).toEqual({ a: 1, b: 2 });
    const { tensors } = await openCheckpoint(snapshot);
    expect(tensors.get('b')?.file).toBe(join(repository, 'blobs', 'bbbb'));
    expect(await valuesOf(join(snapshot, INDEX))).toEqual({ a: 1, b: 2 });
    expect(await valuesOf(join(snapshot, '2.safetensors'))).toEqual({ b: 2 });
  });

  test('of a subdirectory of a snapshot lead there too', async () => {
    await using directory = await temporaryDirectory();
    const { snapshot } = await makeCache(directory.path);
    await mkdir(join(snapshot, 'transformer'));
    await symlink('../../../blobs/aaaa', join(snapshot, 'transformer', 'model.safetensors'));
    expect(await valuesOf(join(snapshot, 'transformer'))).toEqual({ a: 1 });
  });

  test('to a blob that was never downloaded count as missing shards', async () => {
    await using directory = await temporaryDirectory();
    const { repository, snapshot } = await makeCache(directory.path);
    await rm(join(repository, 'blobs', 'bbbb'));
    await expect(openCheckpoint(snapshot)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_SHARDS',
      details: { problems: ["'2.safetensors' is missing"] },
    });
  });

  test('within a checkpoint are followed', async () => {
    await using directory = await temporaryDirectory();
    await writeShard(join(directory.path, 'data', 'weights'), { a: 1 });
    await symlink('data/weights', join(directory.path, 'model.safetensors'));
    expect(await valuesOf(directory.path)).toEqual({ a: 1 });
  });

  test.each([
    ['a neighbour', 'hub/models--org--name/snapshots/c0ffee', 'secret'],
    ['a blob of another model', 'hub/models--org--name/snapshots/c0ffee', 'hub/models--org--other/blobs/dddd'],
    ['something below blobs', 'hub/models--org--name/snapshots/c0ffee', 'hub/models--org--name/blobs/deeper/dddd'],
    ['blobs without a snapshot', 'plain', 'hub/models--org--name/blobs/dddd'],
    ['blobs of what is no model', 'hub/org--name/snapshots/c0ffee', 'hub/org--name/blobs/dddd'],
  ])('to %s are refused', async (_, from, to) => {
    await using directory = await temporaryDirectory();
    await makeCache(directory.path);
    const [root, target] = [join(directory.path, from), join(directory.path, to)];
    await writeShard(target, { a: 1 });
    await mkdir(root, { recursive: true });
    await symlink(target, join(root, 'model.safetensors'));
    await expect(openCheckpoint(root)).rejects.toMatchObject({
      code: 'GVU_CHECKPOINT_LINK',
      message: expect.stringContaining(target),
    });
  });

  test('out of the directory are refused for shards, the index and directories', async () => {
    await using directory = await temporaryDirectory();
    const outside = join(directory.path, 'outside');
    await writeShard(join(outside, '1.safetensors'), { a: 1 });
    await writeIndex(outside, { a: '1.safetensors' });

    const shard = join(directory.path, 'shard');
    await mkdir(shard);
    await symlink('../outside/1.safetensors', join(shard, '1.safetensors'));
    await writeIndex(shard, { a: '1.safetensors' });

    const index = join(directory.path, 'index');
    await writeShard(join(index, '1.safetensors'), { a: 1 });
    await symlink(`../outside/${INDEX}`, join(index, INDEX));

    const folder = join(directory.path, 'folder');
    await mkdir(folder);
    await symlink('../outside', join(folder, 'sub'));
    await writeIndex(folder, { a: 'sub/1.safetensors' });

    for (const root of [shard, index, folder])
      await expect(openCheckpoint(root)).rejects.toMatchObject({ code: 'GVU_CHECKPOINT_LINK' });
  });

  test('in a circle are refused', async () => {
    await using directory = await temporaryDirectory();
    await symlink('model.safetensors', join(directory.path, 'model.safetensors'));
    await expect(openCheckpoint(directory.path)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_READ' });
  });
});
