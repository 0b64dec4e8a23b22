import { fillUniform, randomStream } from '@gvu/core';
import { createModules } from '@gvu/models';
import { createGraph, exactSampler, input, output, Runtime, slice, tokenLogProb, toNumbers } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runGraph, tinyConfig, tinyModel, tinyWeights } from '../../test/tiny-model.ts';
import { imageSize } from '../world/index.ts';
import { codeLogits, createBackbone, drawingMask, embedSequences, runSequences } from './backbone.ts';
import { imageTokens } from './config.ts';
import { readProgram } from './programs.ts';
import { drawingSequences, readingSequences } from './sequences.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

const stream = randomStream(3, 'test');
const uniform = (row: number) => {
  const values = new Float32Array(imageTokens);
  fillUniform(values, stream.at(row));
  return values;
};
const prompts = ['a photo of a circle', 'a photo of a red square and a blue heart'];

describe('drawing', () => {
  it('samples from the probabilities that a whole sequence gives its codes', async () => {
    const model = tinyModel(runtime);
    const words = prompts.map((prompt) => model.ids.words.encode(prompt));
    const drawn = await model.draw(words, [uniform(0), uniform(1)]);

    const graph = createGraph();
    const modules = createModules(graph, tinyWeights()(graph));
    const promptLength = 11; // another padding than the drawing's
    const rows = drawn.map(({ codes }, i) => ({ prompt: words[i] ?? [], codes: codes.slice(0, -1) }));
    const data = drawingSequences(model.ids, rows, { promptLength });
    const [batch = 0, length = 0] = data.ids.shape;
    const backbone = createBackbone(modules, tinyConfig, { positions: length });
    const ids = input(graph, 'ids', { dtype: 'int64', shape: [batch, length] });
    const positions = input(graph, 'positions', { dtype: 'int64', shape: [batch, length] });
    const real = input(graph, 'real', { dtype: 'float32', shape: [batch, length] });
    const embedded = embedSequences(backbone, ids, { imageAt: promptLength + 2 });
    const hidden = runSequences(backbone, embedded, { positions, mask: drawingMask(backbone, real) });
    const codes = input(graph, 'codes', { dtype: 'int64', shape: [batch, imageTokens] });
    output('logProbs', tokenLogProb(codeLogits(backbone, slice(hidden, 1, { start: -imageTokens })), codes));
    const all = drawn.flatMap((image) => image.codes);
    const { logProbs } = await runGraph(runtime, graph, {
      ...data,
      codes: { dtype: 'int64', shape: [batch, imageTokens], data: BigInt64Array.from(all, BigInt) },
    });
    const expected = logProbs ? toNumbers(logProbs) : [];
    drawn
      .flatMap((image) => image.logProbs)
      .forEach((value, i) => {
        expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(2e-4);
      });
    expect(new Set(all).size).toBeGreaterThan(3);
    expect(all.every((code) => code >= 0 && code < tinyConfig.tokenizer.codes)).toBe(true);
  });

  it('does not depend on the rows beside it or on the padding', async () => {
    const model = tinyModel(runtime);
    const words = prompts.map((prompt) => model.ids.words.encode(prompt));
    const both = await model.draw(words, [uniform(0), uniform(1)]);
    const [alone] = await model.draw(words.slice(1), [uniform(1)], { sampler: exactSampler, promptLength: 12 });
    expect(alone?.codes).toEqual(both[1]?.codes);
  });
});

describe('reading', () => {
  const codes = Array.from({ length: imageTokens }, (_, i) => i % 8);

  it('gives each word a probability, and all first words one together', async () => {
    const model = tinyModel(runtime);
    const instruction = model.ids.words.encode('describe the image in detail');
    const rows = Array.from({ length: model.ids.words.size }, (_, word) => ({ codes, instruction, answer: [word] }));
    const logProbs = await model.read(rows);
    expect(logProbs.every((row) => row.length === 2)).toBe(true);
    const total = logProbs.reduce((sum, [first = Number.NaN]) => sum + Math.exp(first), 0);
    expect(total).toBeCloseTo(1, 4);
  });

  it('depends on the image and the instruction, not on the rows beside it', async () => {
    const model = tinyModel(runtime);
    const answer = model.ids.words.encode('a photo of a circle');
    const row = { codes, instruction: [5, 6], answer };
    const [alone] = await model.read([row]);
    const other = { codes: codes.with(10, 5), instruction: [5, 6], answer };
    const [again, changed, asked] = await model.read([
      row,
      other,
      { ...row, instruction: [6, 5, 7, 8, 9, 10], answer: [...answer, ...answer] },
    ]);
    again?.forEach((value, i) => {
      expect(Math.abs(value - (alone?.[i] ?? 0))).toBeLessThan(1e-4);
    });
    expect(Math.abs((changed?.[0] ?? 0) - (alone?.[0] ?? 0))).toBeGreaterThan(1e-4);
    expect(Math.abs((asked?.[0] ?? 0) - (alone?.[0] ?? 0))).toBeGreaterThan(1e-4);
  });
});

it('reads several texts of an image as if each were alone', async () => {
  const model = tinyModel(runtime);
  const codes = Array.from({ length: imageTokens }, (_, i) => (i * 5) % 8);
  const texts = [
    { instruction: [4, 5, 6], answer: [7, 8] },
    { instruction: [9], answer: [10, 11, 12] },
    { instruction: [6, 4], answer: [5] },
  ];
  const alone = await model.read(texts.map((text) => ({ ...text, codes })));
  const options = { config: tinyConfig, weights: tinyWeights(), rows: 1 };
  await using session = await runtime.load(readProgram(options, { textLength: 14 }));
  const { logProbs } = await session.run<'logProbs'>({
    ...readingSequences(model.ids, [{ codes, texts }], { textLength: 14 }),
  });
  const together = toNumbers(logProbs).filter((value) => value !== 0);
  expect(together).toHaveLength(9);
  for (const [i, value] of alone.flat().entries()) expect(Math.abs(value - (together[i] ?? 0))).toBeLessThan(1e-4);
});

it('decodes the same codes and noise to the same pixels, and other noise to others', async () => {
  const model = tinyModel(runtime);
  const codes = Array.from({ length: imageTokens }, (_, i) => (i * 3) % 8);
  const [first, second, third] = await model.decode([codes, codes, codes], [stream.at(1), stream.at(1), stream.at(2)]);
  const [alone] = await model.decode([codes], [stream.at(1)]);
  expect(first).toHaveLength(imageSize);
  expect(second).toEqual(first);
  expect(alone).toEqual(first);
  expect(third).not.toEqual(first);
  const [encoded] = await model.encode([first ?? new Uint8Array()]);
  expect(encoded).toHaveLength(imageTokens);
});
