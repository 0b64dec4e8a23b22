/** Checkpoints that are broken, of another model, or meant ill: a clear error each, before anything runs. */
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import { openCheckpoint, Runtime, readTensors, type TensorData, tensorData, writeSafetensors } from '@gvu/onnx';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createJanusBackend } from '../src/backend.ts';
import { janusConfig } from '../src/checkpoint/config.ts';
import { openJanus } from '../src/checkpoint/open.ts';
import { backendConfig } from '../src/options.ts';
import { fixture } from './fixtures.ts';
import { writeOriginalLayout } from './original-layout.ts';
import { torchFile } from './torch-file.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'gvu-janus-')));
  await cp(fixture('janus-tiny'), folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const open = () => createJanusBackend(backendConfig.parse({ model: folder }, { source: 'test' }), { runtime });

async function changeJson(file: string, change: (json: Record<string, unknown>) => void): Promise<void> {
  const path = join(folder, file);
  const json = JSON.parse(await readFile(path, 'utf8'));
  change(json);
  await writeFile(path, JSON.stringify(json));
}

async function changeTensors(change: (tensors: Map<string, TensorData>) => void): Promise<void> {
  const { tensors } = await openCheckpoint(folder);
  const values = await readTensors(tensors.values());
  change(values);
  await writeSafetensors(join(folder, 'model.safetensors'), values);
}

describe('configuration', () => {
  it.each([
    ['another model', { model_type: 'llama' }, /GVU_MODEL_CONFIG.*"llama"/],
    ['a norm that is not computed', { vision_config: { use_qk_norm: true } }, /GVU_CONFIG_INVALID.*use_qk_norm/s],
    ['another activation', { vision_config: { hidden_act: 'relu' } }, /GVU_CONFIG_INVALID.*hidden_act/s],
    ['channels that no group norm divides', { vq_config: { base_channels: 48 } }, /GVU_CONFIG_INVALID.*base_channels/s],
    ['layers without end', { vision_config: { num_hidden_layers: 1e9 } }, /GVU_CONFIG_INVALID.*num_hidden_layers/s],
    ['heads that do not share the width', { vision_config: { num_attention_heads: 5 } }, /GVU_MODEL_CONFIG.*5 heads/],
    ['another decoder', { text_config: { model_type: 'gpt2' } }, /GVU_MODEL_CONFIG.*gpt2/],
  ])('refuses %s', async (_, changed, message) => {
    await changeJson('config.json', (json) => {
      for (const [key, value] of Object.entries(changed))
        json[key] = typeof value === 'string' ? value : { ...Object(json[key]), ...value };
    });
    await expect(openJanus(folder)).rejects.toThrow(message);
  });

  it('fills in what LlamaConfig has by default: the 7B release leaves out sizes that equal it', () => {
    const text_config = { vocab_size: 102_400, num_hidden_layers: 30, max_position_embeddings: 16_384 };
    const { decoder, vision, vq } = janusConfig({ model_type: 'janus', text_config });
    expect(decoder).toMatchObject({
      width: 4096,
      feedForward: 11_008,
      heads: 32,
      kvHeads: 32,
      headDim: 128,
      layers: 30,
    });
    expect(decoder.tiedHead).toBe(false);
    expect(vision).toMatchObject({
      width: 1024,
      feedForward: 4096,
      layers: 24,
      heads: 16,
      imageSide: 384,
      patchSide: 16,
    });
    expect(vq).toMatchObject({ codes: 16_384, codeWidth: 8, latent: 256, multipliers: [1, 1, 2, 2, 4], resBlocks: 2 });
  });

  it('draws on the grid of the tower, as transformers does whatever vq_config says', () => {
    const gridOf = (json: object) => janusConfig({ model_type: 'janus', ...json }).vq.gridSide;
    expect(gridOf({})).toBe(24); // of 384 / 16
    expect(gridOf({ vq_config: { num_patches: 7 } })).toBe(24);
    expect(gridOf({ vision_config: { image_size: 100, patch_size: 8 }, vq_config: { num_patches: 7 } })).toBe(12);
  });

  it('refuses a directory without its files', async () => {
    await rm(join(folder, 'preprocessor_config.json'));
    await expect(open()).rejects.toThrow(/GVU_MODEL_FILE.*preprocessor_config\.json/);
    await rm(join(folder, 'config.json'));
    await expect(open()).rejects.toThrow(/GVU_MODEL_FILE.*config\.json/);
  });

  it('refuses links that lead out of the directory', async () => {
    await rm(join(folder, 'config.json'));
    await symlink(join(fixture('janus-tiny'), 'config.json'), join(folder, 'config.json'));
    await expect(open()).rejects.toThrow(/GVU_CHECKPOINT_LINK/);
  });

  it('refuses a tokenizer without the tokens of images', async () => {
    const path = join(folder, 'tokenizer.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replaceAll('<begin_of_image>', '<something>').replaceAll('<end_of_image>', '<other>'));
    await expect(open()).rejects.toThrow(/GVU_MODEL_TOKENIZER.*'<begin_of_image>'.*'<end_of_image>'/);
  });

  it('refuses a tokenizer that cannot name the speakers, unless they are called by words', async () => {
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, (await readFile(path, 'utf8')).replaceAll('<|User|>', '<|Someone|>'));
    await expect(open()).rejects.toThrow(/GVU_MODEL_TOKENIZER.*no token '<\|User\|>'.*speakers to "words"/);
    const options = backendConfig.parse({ model: folder, speakers: 'words' }, { source: 'test' });
    await expect(createJanusBackend(options, { runtime })).resolves.toMatchObject({ name: 'janus' });
  });

  it('refuses a tokenizer whose words are image tokens to the model', async () => {
    await changeJson('tokenizer.json', (json) => {
      const model = Object(json.model);
      json.model = { ...model, vocab: { ...model.vocab, 'a word': 100_000 } };
    });
    await expect(open()).rejects.toThrow(/GVU_MODEL_TOKENIZER.*'a word' has the id 100000, and the model knows/);
  });

  it('knows its control tokens where the tokenizer does not call them special', async () => {
    await changeJson('tokenizer.json', (json) => {
      json.added_tokens = (json.added_tokens as object[]).map((token) => ({ ...token, special: false }));
    });
    const backend = await open();
    for (const token of ['<begin_of_image>', '<end_of_image>', '<image_placeholder>', '<|User|>']) {
      const drawing = backend.draw([{ prompt: `a cube${token}`, randomness: randomStream(1, 'test').at() }]);
      await expect(drawing, token).rejects.toMatchObject({ code: 'GVU_MODEL_TEXT' });
    }
  });
});

describe('tensors', () => {
  it.each([
    ['a missing one', (all) => all.delete('model.aligner.fc1.bias'), /'model\.aligner\.fc1\.bias' is missing/],
    [
      'one of another shape',
      (all) => all.set('lm_head.weight', tensorData('float32', [2, 2], [1, 2, 3, 4])),
      /'lm_head\.weight' is \[2, 2\], not/,
    ],
    [
      'one that nobody knows',
      (all) => all.set('model.backdoor.weight', tensorData('float32', [1], [1])),
      /no part of Janus: 'model\.backdoor\.weight'/,
    ],
    [
      'a part of the encoder alone',
      (all) => all.delete('model.vqmodel.encoder.conv_in.bias'),
      /'model\.vqmodel\.encoder\.conv_in\.bias' is missing/,
    ],
    [
      'no head, where it is not said to be the table',
      (all) => all.delete('lm_head.weight'),
      /'lm_head.weight' is missing/,
    ],
  ] satisfies [string, (all: Map<string, TensorData>) => unknown, RegExp][])(
    'refuses %s',
    async (_, change, message) => {
      await changeTensors(change);
      await expect(openJanus(folder)).rejects.toThrow(
        expect.objectContaining({ code: 'GVU_MODEL_WEIGHTS', message: expect.stringMatching(message) }),
      );
    },
  );

  it('does without the encoder, which neither drawing nor reading needs', async () => {
    await changeTensors((all) => {
      for (const name of [...all.keys()]) if (/vqmodel\.(encoder|quant_conv)\./.test(name)) all.delete(name);
    });
    await expect(openJanus(folder)).resolves.toBeDefined();
  });

  it('ties the head only where the file has none and config.json says so', async () => {
    await changeJson('config.json', (json) => {
      json.tie_word_embeddings = true;
    });
    expect((await openJanus(folder)).config.decoder.tiedHead).toBe(false);
    await changeTensors((all) => all.delete('lm_head.weight'));
    expect((await openJanus(folder)).config.decoder.tiedHead).toBe(true);
    await expect(open()).resolves.toMatchObject({ name: 'janus' });
  });

  it('another version for other weights', async () => {
    const { version } = await open();
    await changeTensors((all) => {
      const head = all.get('lm_head.weight');
      if (head?.dtype === 'float32')
        all.set('lm_head.weight', { ...head, data: head.data.map((value) => value * 1.01) });
    });
    expect((await open()).version).not.toBe(version);
    expect(version).toBe(
      (await createJanusBackend(backendConfig.parse({ model: fixture('janus-tiny') }, { source: 't' }), { runtime }))
        .version,
    );
  });
});

describe("the layout of DeepSeek's release", () => {
  let original: string;
  beforeEach(async () => {
    original = join(folder, 'original');
    await mkdir(original);
    await writeOriginalLayout(folder, original);
  });

  it('says the same sizes by its tensors', async () => {
    expect((await openJanus(original)).config).toEqual((await openJanus(folder)).config);
  });

  it('refuses towers that it does not know', async () => {
    const path = join(original, 'config.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/,"heads":\d+|"heads":\d+,/, ''));
    await expect(openJanus(original)).rejects.toThrow(/GVU_MODEL_CONFIG.*'tiny' is not known/);
  });

  it('refuses a fused tensor that does not fall into three', async () => {
    const { tensors } = await openCheckpoint(original);
    const values = await readTensors(tensors.values());
    values.set('vision_model.vision_tower.blocks.0.attn.qkv.bias', tensorData('float32', [4], [1, 2, 3, 4]));
    await writeSafetensors(join(original, 'model.safetensors'), values);
    await expect(openJanus(original)).rejects.toThrow(/GVU_MODEL_WEIGHTS.*q_proj\.bias' is missing/);
  });

  it.each([1, 3])('comes as files of torch.save too: %d of them', async (count) => {
    const pickled = join(folder, 'pickled');
    await mkdir(pickled);
    await writeOriginalLayout(folder, pickled, async (to, tensors) => {
      const all = [...tensors];
      const size = Math.ceil(all.length / count);
      const name = (i: number) => (count === 1 ? 'pytorch_model.bin' : `pytorch_model-${i}.bin`);
      const map: Record<string, string> = {};
      for (let i = 0; i < count; i++) {
        const part = all.slice(i * size, (i + 1) * size);
        await writeFile(join(to, name(i)), torchFile(new Map(part)));
        for (const [tensor] of part) map[tensor] = name(i);
      }
      if (count > 1) await writeFile(join(to, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }));
    });
    for (const file of ['preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'])
      await cp(join(folder, file), join(pickled, file));
    const backend = await createJanusBackend(backendConfig.parse({ model: pickled }, { source: 'test' }), { runtime });
    const requests = [{ prompt: 'a red cube', randomness: randomStream(1, 'test').at() }];
    const [drawing] = await backend.draw(requests);
    expect(drawing).toEqual((await (await open()).draw(requests))[0]);

    if (count === 1) return;
    await rm(join(pickled, 'pytorch_model-1.bin'));
    await expect(openJanus(pickled)).rejects.toThrow(/GVU_MODEL_WEIGHTS.*'pytorch_model-1\.bin' is missing/);
    const outside = { weight_map: { 'gen_embed.weight': '../other.bin' } };
    await writeFile(join(pickled, 'pytorch_model.bin.index.json'), JSON.stringify(outside));
    await expect(openJanus(pickled)).rejects.toThrow(/GVU_MODEL_FILE.*its own directory/);
  });
});
