import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { weightsFingerprint } from './fingerprint.ts';
import { readModelFile, readModelJson } from './model-files.ts';

let scratch: string;
let folder: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gvu-model-files-'));
  folder = join(scratch, 'model');
  await mkdir(folder);
  await writeFile(join(scratch, 'secret.json'), '{}');
  await writeFile(join(folder, 'config.json'), '{ "a": 1 }');
  await writeFile(join(folder, 'list.json'), '[1]');
  await writeFile(join(folder, 'broken.json'), '{');
  await symlink('../secret.json', join(folder, 'outside.json'));
  await symlink('config.json', join(folder, 'inside.json'));
});
afterAll(() => rm(scratch, { recursive: true }));

it('reads objects, through links that stay inside', async () => {
  expect(await readModelJson(folder, 'config.json')).toEqual({ a: 1 });
  expect(await readModelJson(folder, 'inside.json')).toEqual({ a: 1 });
  expect(await readModelFile(folder, 'none.jinja', { optional: true })).toBeUndefined();
});

it.each([
  ['none.json', 'GVU_MODEL_FILE'],
  ['list.json', 'GVU_MODEL_FILE'],
  ['broken.json', 'GVU_MODEL_FILE'],
  ['.', 'GVU_MODEL_FILE'],
  ['outside.json', 'GVU_CHECKPOINT_LINK'],
  ['../secret.json', 'GVU_CHECKPOINT_LINK'],
])('refuses %s', async (name, code) => {
  await expect(readModelJson(folder, name)).rejects.toMatchObject({ code });
});

it('weights have a name that changes with any of their ends, and not with their order', async () => {
  const file = join(folder, 'weights');
  const bytes = Buffer.from(Array.from({ length: 6000 }, (_, i) => i % 256));
  const tensors = [0, 3000].map((offset, i) => ({
    name: `t${i}`,
    fileDType: 'U8' as const,
    shape: [3000],
    file,
    offset,
    length: 3000,
  }));
  const name = async (change: (copy: Buffer) => void, order = tensors, also: readonly string[] = []) => {
    const copy = Buffer.from(bytes);
    change(copy);
    await writeFile(file, copy);
    return weightsFingerprint(order, also);
  };
  const same = await name(() => undefined);
  expect(same).toMatch(/^[0-9a-f]{16}$/);
  expect(await name(() => undefined, tensors.toReversed())).toBe(same);
  for (const at of [0, 2999, 3000, 5999])
    expect(await name((copy) => copy.writeUInt8((at + 1) % 200, at))).not.toBe(same);
  expect(await name(() => undefined, tensors, ['float16'])).not.toBe(same);
});
