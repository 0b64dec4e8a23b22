/**
 * Models whose image tokens are words of one vocabulary, carried by the core, against transformers 5.18. Qwen3 with image ids at the end
 * is BLIP3o-NEXT's autoregressive half, which has nothing else of its own; with ids amid the words it is Chameleon's arrangement.
 * Chameleon's decoder (LayerNorm on heads; norms before, or behind) has fixtures of its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  add,
  compile,
  constantData,
  createGraph,
  openCheckpoint,
  openSafetensors,
  output,
  Runtime,
  readTensors,
  slice,
  type Target,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AutoregressiveModel, oncePerGraph, routedDecoder } from '../src/autoregressive/model.ts';
import { createPolicy } from '../src/autoregressive/policy.ts';
import { allStates, drawProgram, readProgram } from '../src/autoregressive/programs.ts';
import { imageLogits, imagePlaces, textLogits } from '../src/autoregressive/routes.ts';
import { checkpointWeights, checkWeights } from '../src/checkpoint-weights.ts';
import { decoderConfig } from '../src/decoder/config.ts';
import type { ComputeDType } from '../src/decoder/decoder.ts';
import { decoderModules, decoderParameters } from '../src/decoder/parameters.ts';
import { fixture } from './fixtures.ts';

const logProbTolerance = 1e-4;
const readJson = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
}, 60_000);
afterAll(() => runtime.dispose());

interface ImageIds {
  readonly firstId: number;
  readonly count: number;
  readonly hidesImages?: boolean;
}

/** A checkpoint of transformers, some of whose ids are taken for image tokens. */
async function openModel(folder: string, { firstId, count, hidesImages = false }: ImageIds) {
  const config = decoderConfig(readJson(folder, 'config.json'));
  const checkpoint = await openCheckpoint(folder);
  checkWeights(checkpoint, decoderParameters(config));
  const { vocabulary, width, tiedHead } = config;
  const [embedding, norm] = ['model.embed_tokens', 'model.norm'];
  return (target: Target = 'cpu', dtype: ComputeDType = 'float32'): AutoregressiveModel => ({
    config,
    prefix: 'model.',
    routes: {
      text: { vocabulary, embedding, norm, hidesImages, ...(!tiedHead && { head: 'lm_head' }) },
      image: {
        firstId,
        rows: count,
        tokens: count,
        embed: (modules, tokens) => modules.embedding(embedding, add(tokens, firstId), { rows: vocabulary, width }),
        norm,
        logits: ({ linear }, normal) =>
          slice(linear(tiedHead ? embedding : 'lm_head', normal, { out: vocabulary }), 1, {
            start: firstId,
            end: firstId + count,
          }),
      },
    },
    modules: decoderModules(config),
    weights: oncePerGraph((graph) => checkpointWeights(graph, checkpoint, dtype)),
    target,
    dtype,
  });
}

async function readFixture(folder: string) {
  const tensors = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
  return (name: string): TensorData => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the fixture lacks ${name}`);
    return tensor;
  };
}

/** Logits [T, ..] of words and of image tokens after each token of a sequence. */
async function logitsOf(model: AutoregressiveModel, ids: readonly number[]) {
  const graph = createGraph({ name: 'logits', target: model.target });
  const routed = routedDecoder(graph, model, { positions: ids.length });
  const batch = sequence(ids);
  const at = { ids: constantData(graph, batch.ids), positions: constantData(graph, batch.positions) };
  const last = allStates(routed, { ...at, real: constantData(graph, batch.real) }).at(-1);
  if (!last) throw new Error('the model has layers');
  const places = imagePlaces(routed, at.ids);
  output('text', textLogits(routed, last, places));
  output('image', imageLogits(routed, last, places));
  await using session = await runtime.load(compile(graph));
  const { text, image } = await session.run<'text' | 'image'>({});
  return { text: toNumbers(text), image: toNumbers(image) };
}

function sequence(ids: readonly number[]) {
  return {
    ids: tensorData('int64', [1, ids.length], ids),
    positions: tensorData('int64', [1, ids.length], [...ids.keys()]),
    real: tensorData('float32', [1, ids.length], new Array(ids.length).fill(1)),
  };
}

describe.each(['at the end, as in BLIP3o-NEXT', 'amid the words, as in Chameleon'])(
  'Qwen3 with image ids %s',
  (where) => {
    const folder = fixture('qwen3-tiny');
    const vocabulary: number = readJson(folder, 'config.json').vocab_size;
    const third = Math.floor(vocabulary / 3);
    const ids: ImageIds = where.startsWith('amid')
      ? { firstId: third, count: third }
      : { firstId: vocabulary - third, count: third };

    it.each(['seq0', 'seq1'])('%s: the logits are those of the language model', async (seq) => {
      const [model, expected] = [await openModel(folder, ids), await readFixture(folder)];
      const tokens = toNumbers(expected(`${seq}.input_ids`));
      const theirs = toNumbers(expected(`${seq}.logits`));
      const exact = (await logitsOf(model('reference', 'float64'), tokens)).text;
      // The reference is a float32 result with an error of its own.
      const allowed = 5e-5 + difference(theirs, exact);
      expect(allowed, 'the reference must itself be right').toBeLessThan(1.5e-4);
      const found = await logitsOf(model(), tokens);
      expect(difference(found.text, theirs)).toBeLessThan(allowed);
      const columns = inRows(theirs, vocabulary).flatMap((row) => row.slice(ids.firstId, ids.firstId + ids.count));
      expect(difference(found.image, columns)).toBeLessThan(allowed);
    });

    it('draws image tokens alone, with the probabilities that the policy gives them', async () => {
      const [model, expected] = [(await openModel(folder, ids))(), await readFixture(folder)];
      const prompt = toNumbers(expected('seq0.input_ids')).slice(0, 6);
      const steps = 5;
      const sampler = { temperature: 1, topK: 0, topP: 0.95, minP: 0 };
      await using drawing = await runtime.load(
        drawProgram(model, { rows: 1, length: prompt.length }, { steps, sampler }),
      );
      const uniform = tensorData('float32', [steps, 1, 1], [0.1, 0.9, 0.5, 0.3, 0.7]);
      const drawn = await drawing.run<'tokens' | 'policy'>({ ...sequence(prompt), uniform });
      const tokens = toNumbers(drawn.tokens);
      const drawnIds = tokens.map((token) => token + ids.firstId);
      // The law by definition: the softmax over image columns of the logits of the whole sequence.
      const { image } = await logitsOf(model, [...prompt, ...drawnIds]);
      const law = inRows(image, ids.count)
        .slice(prompt.length - 1, -1)
        .map((row, step) => logSoftmax(row)[tokens[step] ?? 0] ?? Number.NaN);
      expect(difference(toNumbers(drawn.policy), law)).toBeLessThan(logProbTolerance);

      const policy = createPolicy(model, { steps, padding: 0, promptIds: () => prompt });
      const graph = createGraph({ name: 'policy', target: 'cpu' });
      output('logp', policy.build(graph, { rows: 1, promptLength: 16, temperature: 1 }).logp);
      await using session = await runtime.load(compile(graph));
      const none = new Float32Array(steps);
      const drawings = [{ prompt: '', tokens: Int32Array.from(tokens), logProbs: none, samplerLogProbs: none }];
      const { logp } = await session.run<'logp'>(policy.feeds(drawings, { promptLength: 16 }), { fetch: ['logp'] });
      expect(difference(toNumbers(logp), law)).toBeLessThan(logProbTolerance);
    });
  },
);

describe.each(['chameleon-tiny', 'chameleon-swin-tiny'])('%s', (name) => {
  const folder = fixture(name);
  const imageIds = async (): Promise<ImageIds> => {
    const columns = toNumbers((await readFixture(folder))('read.image_columns'));
    const [firstId, last] = [columns.indexOf(1), columns.lastIndexOf(1)];
    const count = columns.reduce((sum, value) => sum + value, 0);
    expect(last - firstId + 1, 'image ids are one run').toBe(count);
    return { firstId, count, hidesImages: true };
  };

  it('logits of a text after an image', async () => {
    const [model, expected] = [
      await openModel(folder, { ...(await imageIds()), hidesImages: false }),
      await readFixture(folder),
    ];
    const [ids, theirs] = [toNumbers(expected('read.input_ids')), toNumbers(expected('read.logits'))];
    const exact = (await logitsOf(model('reference', 'float64'), ids)).text;
    const allowed = 5e-5 + difference(theirs, exact);
    expect(allowed, 'the reference must itself be right').toBeLessThan(1.5e-4);
    for (const target of ['cpu', 'cuda'] as const)
      expect(difference((await logitsOf(model(target), ids)).text, theirs), target).toBeLessThan(allowed);
  });

  it.each([
    ['as if no image token could follow, as transformers has it', true, 'read.logprobs_text_only'],
    ['over the whole vocabulary', false, 'read.logprobs_full_vocab'],
  ] as const)('log-probabilities of the text %s', async (_, hidesImages, wanted) => {
    const [open, expected] = [
      await openModel(folder, { ...(await imageIds()), hidesImages }),
      await readFixture(folder),
    ];
    const ids = toNumbers(expected('read.input_ids'));
    const theirs = toNumbers(expected(wanted));
    const textLength = theirs.length;
    const length = ids.length - textLength;
    await using session = await runtime.load(readProgram(open(), { rows: 1, length }, { textLength }));
    const targets = tensorData('int64', [1, textLength], ids.slice(-textLength));
    const { logProbs } = await session.run<'logProbs'>({ ...sequence(ids.slice(0, -1)), targets });
    expect(difference(toNumbers(logProbs), theirs)).toBeLessThan(logProbTolerance);
  });
});

function inRows(values: readonly number[], columns: number): number[][] {
  return Array.from({ length: values.length / columns }, (_, i) => values.slice(i * columns, (i + 1) * columns));
}

function logSoftmax(logits: readonly number[]): readonly number[] {
  const top = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return logits.map((value) => value - top - total);
}

function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
