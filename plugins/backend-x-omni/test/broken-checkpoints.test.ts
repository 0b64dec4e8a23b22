/** Checkpoints that are broken, of another model or hostile: each is refused with a code, and nothing of them is run. */
import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, randomStream } from '@gvu/core';
import { openSafetensors, Runtime, readTensors, type TensorData, tensorData, writeSafetensors } from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createXOmniBackend } from '../src/backend.ts';
import { fixture } from './fixtures.ts';
import { type Checkpoint, encoderFacts, tinyCheckpoint } from './tiny-checkpoint.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** Writes the weights anew. */
async function reweigh(checkpoint: Checkpoint, change: (tensors: Map<string, TensorData>) => void): Promise<void> {
  const path = join(checkpoint.path, 'model.safetensors');
  const tensors = await readTensors((await openSafetensors(path)).tensors.values());
  change(tensors);
  await rm(path);
  await writeSafetensors(path, tensors, { format: 'pt' });
}

/** Adds to or takes from the tokenizer's own list of tokens. */
const renameToken = (checkpoint: Checkpoint, from: string, to: string) =>
  checkpoint.edit('tokenizer.json', (json) =>
    JSON.parse(JSON.stringify(json).replaceAll(JSON.stringify(from), JSON.stringify(to))),
  );

type Break = (checkpoint: Checkpoint) => Promise<void>;
const breaks: readonly (readonly [string, ErrorCode, RegExp, Break])[] = [
  [
    'a tensor is missing',
    'GVU_MODEL_WEIGHTS',
    /'mm_head.weight' is missing/,
    (it) => reweigh(it, (tensors) => tensors.delete('mm_head.weight')),
  ],
  [
    'a tensor has another shape',
    'GVU_MODEL_WEIGHTS',
    /'model.mm_norm.weight' is \[3\]/,
    (it) => reweigh(it, (tensors) => tensors.set('model.mm_norm.weight', tensorData('float32', [3], [1, 2, 3]))),
  ],
  [
    'a tensor is unknown',
    'GVU_MODEL_WEIGHTS',
    /'model.extra.weight'/,
    (it) => reweigh(it, (tensors) => tensors.set('model.extra.weight', tensorData('float32', [1], [1]))),
  ],
  [
    'a shard is missing',
    'GVU_CHECKPOINT_SHARDS',
    /'model-00002-of-00002.safetensors' is missing/,
    async ({ path }) => {
      const { tensors } = await openSafetensors(join(path, 'model.safetensors'));
      const shard = 'model-00002-of-00002.safetensors';
      await rm(join(path, 'model.safetensors'));
      await writeFile(
        join(path, 'model.safetensors.index.json'),
        JSON.stringify({ weight_map: Object.fromEntries([...tensors.keys()].map((name) => [name, shard])) }),
      );
    },
  ],
  ['<SOM> is missing', 'GVU_MODEL_TOKENIZER', /no token '<SOM>'/, (it) => renameToken(it, '<SOM>', '<OTHER>')],
  [
    'an image token has the name of another',
    'GVU_MODEL_TOKENIZER',
    /'<MM-Token-1>' has the id undefined/,
    (it) => renameToken(it, '<MM-Token-1>', '<MM-Token-one>'),
  ],
  [
    'control tokens are words to the model',
    'GVU_XOMNI_CONFIG',
    /mm_special_tokens/,
    ({ edit }) => edit('config.json', (json) => ({ ...json, mm_special_tokens: ['<SOM>'] })),
  ],
  [
    'the chat template is broken',
    'GVU_MODEL_TOKENIZER',
    /chat template/,
    ({ edit }) => edit('tokenizer_config.json', (json) => ({ ...json, chat_template: '{% for %}' })),
  ],
  [
    'the chat template leaves out what is said',
    'GVU_MODEL_TOKENIZER',
    /leaves out what the user says/,
    ({ edit }) => edit('tokenizer_config.json', (json) => ({ ...json, chat_template: 'hello' })),
  ],
  [
    'the chat template fills the memory',
    'GVU_MODEL_TOKENIZER',
    /chat template.*did not end/,
    ({ edit }) =>
      edit('tokenizer_config.json', (json) => ({
        ...json,
        chat_template: '{% for i in range(10000000000) %}{% endfor %}',
      })),
  ],
  ['the tokenizer is no JSON', 'GVU_MODEL_FILE', /not JSON/, ({ path }) => writeAnew(path, 'tokenizer.json', '{')],
  [
    'it is another model',
    'GVU_XOMNI_CONFIG',
    /model_type must be "x-omni", not "qwen2"/,
    ({ edit }) => edit('config.json', (json) => ({ ...json, model_type: 'qwen2' })),
  ],
  [
    'it has more layers of images than layers',
    'GVU_XOMNI_CONFIG',
    /are more than all/,
    ({ edit }) => edit('config.json', (json) => ({ ...json, num_mm_adap_layers: 1000 })),
  ],
  [
    'its configuration leads outside',
    'GVU_CHECKPOINT_LINK',
    /outside the checkpoint/,
    async ({ path }) => {
      await rm(join(path, 'config.json'));
      await symlink(join(fixture('x-omni-tiny'), 'config.json'), join(path, 'config.json'));
    },
  ],
  [
    'its encoder leads outside',
    'GVU_CHECKPOINT_LINK',
    /outside the checkpoint/,
    async ({ path }) => {
      await rm(join(path, 'vit.pt'));
      await symlink(join(fixture('siglip-vq-tiny-pickle'), 'vit.pt'), join(path, 'vit.pt'));
    },
  ],
  [
    'half of its encoder is missing',
    'GVU_XOMNI_ENCODER',
    /projector.pt' of the image encoder is missing/,
    ({ path }) => rm(join(path, 'projector.pt')),
  ],
  [
    'its encoder is of another size',
    'GVU_MODEL_WEIGHTS',
    /vit|missing/,
    async ({ path }) => {
      await rm(join(path, 'vit.pt'));
      const shapes = {
        'patch_embed.proj.weight': [8, 3, 4, 4],
        'blocks.0.mlp.fc1.weight': [8, 8],
        pos_embed: [1, 4, 8],
      };
      const tensors = Object.entries(shapes).map(([name, shape]): [string, TensorData] => [
        name,
        tensorData('float32', shape, new Float32Array(shape.reduce((a, b) => a * b))),
      ]);
      await writeSafetensors(join(path, 'vit.safetensors'), new Map(tensors));
      await rename(path);
    },
  ],
  [
    'its encoder is a pickle that would run a program',
    'GVU_TORCH_ZIP',
    /no zip archive|before PyTorch/,
    ({ path }) => writeAnew(path, 'vit.pt', '\x80\x02cos\nsystem\n(X\x04\x00\x00\x00exittR.'),
  ],
];

async function writeAnew(path: string, name: string, text: string): Promise<void> {
  await rm(join(path, name));
  await writeFile(join(path, name), text, 'latin1');
}

/** Lets the configuration name the safetensors file of the encoder. */
async function rename(path: string): Promise<void> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(join(path, 'config.json'), 'utf8');
  await writeAnew(path, 'config.json', text.replace('"vit.pt"', '"vit.safetensors"'));
}

it.each(breaks)('refuses a checkpoint when %s', async (_, code, message, damage) => {
  await using checkpoint = await tinyCheckpoint({ encoder: true });
  await damage(checkpoint);
  const { patch } = await encoderFacts();
  const options = { sampler: 'exact', guidance: 1, dtype: 'float32', imageSize: 4 * patch } as const;
  const opening = createXOmniBackend({ model: checkpoint.path, ...options }, { runtime });
  await expect(opening).rejects.toMatchObject({ code });
  await expect(opening).rejects.toThrowError(message);
});

it('refuses an image size that is no whole number of patches, and a directory that is none', async () => {
  await using checkpoint = await tinyCheckpoint({ encoder: false });
  const options = { sampler: 'exact', guidance: 1, dtype: 'float32', imageSize: 17 } as const;
  await expect(createXOmniBackend({ model: checkpoint.path, ...options }, { runtime })).rejects.toMatchObject({
    code: 'GVU_XOMNI_CONFIG',
  });
  await expect(
    createXOmniBackend({ model: join(checkpoint.path, 'nowhere'), ...options }, { runtime }),
  ).rejects.toMatchObject({ code: 'GVU_MODEL_FILE' });
});

it('draws, reads and answers nothing with weights that are no numbers', async () => {
  await using checkpoint = await tinyCheckpoint({ encoder: false });
  const options = { sampler: 'exact', guidance: 1, dtype: 'float32', imageSize: { width: 64, height: 32 } } as const;
  const open = () => createXOmniBackend({ model: checkpoint.path, ...options }, { runtime });
  const request = { prompt: 'a red cube', randomness: randomStream(1, 'test').at() };
  const [drawing] = await (await open()).draw([request]);
  await reweigh(checkpoint, (tensors) => {
    const name = 'model.layers.0.mlp.gate_proj.weight';
    const tensor = tensors.get(name);
    if (tensor?.dtype === 'float32') tensors.set(name, { ...tensor, data: tensor.data.map(() => Number.NaN) });
  });
  const broken = await open();
  await expect(broken.draw([request])).rejects.toMatchObject({ code: 'GVU_MODEL_NAN' });
  const image = { tokens: drawing?.tokens ?? new Int32Array() };
  await expect(broken.read([{ image, text: 'a red cube' }])).rejects.toMatchObject({ code: 'GVU_MODEL_NAN' });
  await expect(broken.answer([{ image }])).rejects.toMatchObject({ code: 'GVU_MODEL_NAN' });
});
