/** Files of torch.save against the same tensors in safetensors, bit for bit; hostile and broken ones are refused with a code. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillIntegers, isGvuError, randomStream } from '@gvu/core';
import { openSafetensors, readTensors, type TensorData, tensorBytes } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTorch, readTorchTensor } from '../src/torch/index.ts';
import { fixture } from './fixtures.ts';

const folder = fixture('siglip-vq-tiny-pickle');
const tensorsOf = async (file: string) => readTensors((await openSafetensors(file)).tensors.values());

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gvu-torch-'));
});
afterAll(() => rm(scratch, { recursive: true }));

async function expectSame(file: string, name: string, expected: TensorData | undefined): Promise<void> {
  const entry = (await openTorch(join(folder, file))).tensors.get(name);
  if (!entry || !expected) throw new Error(`'${name}' is missing`);
  const found = await readTorchTensor(entry);
  expect({ dtype: found.dtype, shape: found.shape }, name).toEqual({ dtype: expected.dtype, shape: expected.shape });
  expect(Buffer.compare(tensorBytes(found), tensorBytes(expected)), name).toBe(0);
}

describe('a file of torch.save', () => {
  it('has the tensors that PyTorch saved, views of one storage and halves too', async () => {
    const expected = await tensorsOf(join(folder, 'expected.safetensors'));
    const files = { vit: 'vit.pt', nested: 'nested_views.pt' };
    let compared = 0;
    for (const [key, tensor] of expected) {
      const [prefix = '', ...rest] = key.split('.');
      const file = Object.entries(files).find(([name]) => name === prefix)?.[1];
      if (!file) continue;
      await expectSame(file, rest.join('.'), tensor);
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  });

  it('has every tensor of its safetensors twin', async () => {
    const expected = await tensorsOf(join(fixture('siglip-vq-tiny'), 'projector.safetensors'));
    expect([...(await openTorch(join(folder, 'projector.pt'))).tensors.keys()].sort()).toEqual(
      [...expected.keys()].sort(),
    );
    for (const [name, tensor] of expected) await expectSame('projector.pt', name, tensor);
  });

  it('of the format before 1.6 is refused with what to do', async () => {
    await expect(openTorch(join(folder, 'legacy_format.pt'))).rejects.toThrowError(
      /GVU_TORCH_ZIP.*before PyTorch 1.6/s,
    );
  });
});

/** The same archive with other bytes for its pickle; shorter ones are filled up behind the end of the program. */
async function withPickle(name: string, pickle: Buffer): Promise<string> {
  const bytes = readFileSync(join(folder, 'vit.pt'));
  const start = bytes.indexOf('\x80\x02', 0, 'latin1');
  const end = bytes.indexOf('PK\x03\x04', start, 'latin1');
  expect(pickle.length).toBeLessThan(end - start - 100);
  pickle.copy(bytes, start);
  const path = join(scratch, name);
  await writeFile(path, bytes);
  return path;
}

const latin = (text: string) => Buffer.from(text, 'latin1');
const hostile: Readonly<Record<string, Buffer>> = {
  'a call of os.system': latin('\x80\x02cos\nsystem\n(X\x02\x00\x00\x00idtR.'),
  'a call of builtins.eval by the newer import': latin(
    '\x80\x04\x8c\x08builtins\x8c\x04eval\x93(X\x01\x00\x00\x001tR.',
  ),
  'an import that is not even called': latin('\x80\x02cposix\nsystem\n.'),
  'an object made by a class': latin('\x80\x02csubprocess\nPopen\n)\x81.'),
  'the old way to make an object': latin('\x80\x02(ios\nsystem\n.'),
  'a storage called as a function': latin('\x80\x02ctorch\nFloatStorage\n(tR.'),
  'a list of numbers as a call': latin('\x80\x02]K\x01a)R.'),
  'a tensor without a storage': latin('\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02))\x89}tR.'),
  'attributes on text': latin('\x80\x02X\x01\x00\x00\x00a}b.'),
  'a key that is a dictionary': latin('\x80\x02}}K\x01s.'),
  'text longer than the file': latin('\x80\x02X\xff\xff\xff\x7f'),
  'an empty stack': latin('\x80\x02.'),
  'memory of nothing': latin('\x80\x02h\x07.'),
  'an extension of the copy registry': latin('\x80\x02\x82\x01.'),
};

describe('a hostile pickle', () => {
  it.each(Object.entries(hostile))('with %s is refused, and nothing is run', async (_, pickle) => {
    await expect(openTorch(await withPickle('hostile.pt', pickle))).rejects.toThrowError(/GVU_TORCH_PICKLE/);
  });

  it('names what it would have imported', async () => {
    const path = await withPickle('named.pt', hostile['a call of os.system'] ?? latin(''));
    await expect(openTorch(path)).rejects.toThrowError(/imports "os.system"/);
  });

  it('that contains itself ends', async () => {
    const path = await withPickle('loop.pt', latin('\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.'));
    expect((await openTorch(path)).tensors.size).toBe(0);
  });
});

it('broken anywhere, it gives a coded error or tensors within the file, never anything else', async () => {
  const whole = readFileSync(join(folder, 'nested_views.pt'));
  const random = randomStream(20261123, 'torch/fuzz');
  const path = join(scratch, 'fuzz.pt');
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const draws = new Int32Array(8);
    fillIntegers(draws, random.at(round), { low: 0, high: 2 ** 31 - 1 });
    const [kind = 0, cut = 0, ...places] = draws;
    const bytes = Buffer.from(kind % 4 === 0 ? whole.subarray(0, cut % whole.length) : whole);
    // The directory and the pickle, where a wrong byte means something, are at both ends.
    for (const place of kind % 4 === 0 ? [] : places.slice(0, 1 + (kind % 3))) {
      const near = place % 2 === 0 ? (place >> 1) % 700 : bytes.length - 1 - ((place >> 1) % 900);
      bytes[near] = (place >> 11) % 256;
    }
    await writeFile(path, bytes);
    try {
      for (const entry of (await openTorch(path)).tensors.values()) {
        expect(entry.offset + entry.length).toBeLessThanOrEqual(bytes.length);
        if (entry.dtype && entry.dtype !== 'bool') await readTorchTensor(entry);
      }
    } catch (error) {
      expect(isGvuError(error), `round ${round}: ${String(error)}`).toBe(true);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(50);
});

it.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('version https://git-lfs.github.com/spec/v1\n')],
  ['only the end of an archive', Buffer.concat([latin('PK\x03\x04'), latin('PK\x05\x06'), Buffer.alloc(18)])],
])('a file of %s is refused', async (_, bytes) => {
  const path = join(scratch, 'other.pt');
  await writeFile(path, bytes);
  await expect(openTorch(path)).rejects.toThrowError(/GVU_TORCH_ZIP/);
});
