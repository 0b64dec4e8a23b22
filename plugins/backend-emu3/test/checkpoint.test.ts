/** The sequences of Emu3 token by token, and checkpoints that do not fit together. */
import { randomStream } from '@gvu/core';
import { Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmu3Backend } from '../src/backend.ts';
import { openEmu3 } from '../src/model.ts';
import { emu3Sequences } from '../src/sequences.ts';
import { visualToken } from '../src/tokens.ts';
import { type TinyCheckpoint, tinyCheckpoint, tinyConfig, tokenizerJson } from './tiny-checkpoint.ts';

let checkpoint: TinyCheckpoint;
beforeAll(async () => {
  checkpoint = await tinyCheckpoint();
});
afterAll(() => checkpoint[Symbol.asyncDispose]());
const open = (path = checkpoint.path) => openEmu3(path, { target: 'cpu', dtype: 'float32' });

describe('sequences', () => {
  const spelled = async (text: string) => (await open()).tokens.tokenizer.encode(text);
  const image = { rows: 2, columns: 3, tokens: Int32Array.of(0, 1, 2, 3, 4, 15) };

  it('draw behind the size of the grid', async () => {
    const sequences = emu3Sequences((await open()).tokens, { rows: 2, columns: 3, negativePrompt: 'blur' });
    const header = '<|image start|>2*3<|image token|>';
    expect(sequences.draw('a dog')).toEqual(await spelled(`<|extra_203|>a dog${header}`));
    expect(sequences.unconditional?.([])).toEqual(await spelled(`<|extra_203|>blur${header}`));
  });

  it('read images with the ends of their rows', async () => {
    const sequences = emu3Sequences((await open()).tokens, { rows: 9, columns: 9, negativePrompt: '' });
    const row = (...tokens: readonly number[]) => `${tokens.map(visualToken).join('')}<|extra_200|>`;
    const picture = `<|image start|>2*3<|image token|>${row(0, 1, 2)}${row(3, 4, 15)}<|extra_201|><|image end|>`;
    const words = (shown: string) => `<|extra_203|>You are a helpful assistant. USER: ${shown}What is it?. ASSISTANT:`;
    expect(sequences.read('What is it?', image)).toEqual(await spelled(words(picture)));
    expect(sequences.read('What is it?', undefined)).toEqual(await spelled(words('')));
  });
});

describe('checkpoints', () => {
  it('of another kind of model are refused', async () => {
    await using other = await tinyCheckpoint();
    await other.write('config.json', { ...tinyConfig, model_type: 'llama' });
    await expect(open(other.path)).rejects.toMatchObject({ code: 'GVU_CONFIG_INVALID' });
  });

  it('of other sizes than their tensors are refused', async () => {
    await using other = await tinyCheckpoint();
    await other.write('config.json', { ...tinyConfig, vq_config: { codebook_size: 16, embed_dim: 8 } });
    await expect(open(other.path)).rejects.toThrow(
      /GVU_MODEL_WEIGHTS.*'model.vqmodel.quantize.embedding.weight' is \[16, 4\]/,
    );
  });

  it('whose image tokens are missing or elsewhere are refused', async () => {
    await using other = await tinyCheckpoint();
    const visual = Array.from({ length: 16 }, (_, token) => visualToken(token));
    await other.write('tokenizer.json', tokenizerJson(visual.slice(0, 12)));
    await expect(open(other.path)).rejects.toThrow(/GVU_MODEL_TOKENIZER.*'<\|visual token 000015\|>'/);
    await other.write('tokenizer.json', tokenizerJson(visual.toReversed()));
    await expect(open(other.path)).rejects.toThrow(/GVU_MODEL_TOKENIZER.*not 16 in a row/);
  });
});

it('sketches drawings in the colours of their codes, and has a version for every way of drawing', async () => {
  await using runtime = await Runtime.create({ threads: 1 });
  const options = {
    model: checkpoint.path,
    rows: 2,
    columns: 2,
    guidance: 1,
    negativePrompt: '',
    topK: 0,
    dtype: 'float32',
  } as const;
  await using backend = await createEmu3Backend(options, { runtime });
  await using guided = await createEmu3Backend({ ...options, guidance: 3 }, { runtime });
  expect(guided.version).not.toBe(backend.version);
  const drawing = { tokens: Int32Array.of(1, 2, 2, 1), prompt: 'a dog', randomness: randomStream(1, 'test').at(0) };
  const [picture] = await backend.decode([drawing]);
  expect(picture).toMatchObject({ width: 16, height: 16 });
  const at = (x: number, y: number) => picture?.data.slice(3 * (16 * y + x), 3 * (16 * y + x) + 3);
  expect(at(0, 0)).toEqual(at(15, 15));
  expect(at(0, 0)).not.toEqual(at(8, 0));
  expect(at(8, 0)).toEqual(at(7, 8));
});
