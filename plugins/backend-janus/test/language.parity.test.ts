/**
 * Janus's language half against transformers: prompts to ids, logits of words after an image, logits of image tokens with and without
 * the prompt, guided drawing under given noise, and the probability of the prompt given the picture.
 */

import { randomStream } from '@gvu/core';
import {
  type AutoregressiveModel,
  allStates,
  type Backend,
  checkpointWeights,
  createModules,
  drawProgram,
  imageLogits,
  oncePerGraph,
  routedDecoder,
  type SequenceBuilder,
  type TextTokenizer,
  textLogits,
} from '@gvu/models';
import {
  add,
  type Checkpoint,
  cast,
  compile,
  concat,
  constant,
  constantData,
  createGraph,
  exactSampler,
  type Graph,
  guide,
  logSoftmax,
  output,
  Runtime,
  reshape,
  slice,
  type Target,
  type Tensor,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJanusBackend } from '../src/backend.ts';
import { type JanusConfig, visionTokens } from '../src/checkpoint/config.ts';
import { openJanus } from '../src/checkpoint/open.ts';
import { decoderPrefix } from '../src/model/names.ts';
import { alignFeatures, visionFeatures } from '../src/model/siglip.ts';
import { backendConfig } from '../src/options.ts';
import { janusModules, janusRoutes } from '../src/routes.ts';
import { type ControlIds, janusSequences, openTokens } from '../src/sequences.ts';
import { difference, expectClose, expectNear, tolerance, valuesOf } from './agreement.ts';
import { expectedTensors, fixture, fixtureJson } from './fixtures.ts';

const name = 'janus-tiny';
const targets: readonly Target[] = ['cpu', 'cuda', 'reference'];
const folder = fixture(name);
const {
  prompt,
  question,
  cfg_weight: weight,
} = fixtureJson<{
  prompt: string;
  question: string;
  cfg_weight: number;
}>(name, 'prompts.json');

let runtime: Runtime;
let get: (key: string) => TensorData;
let config: JanusConfig;
let checkpoint: Checkpoint;
let tokenizer: TextTokenizer;
let ids: ControlIds;
let sequences: SequenceBuilder;
let backend: Backend;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1, cacheLimit: 16 });
  ({ get } = await expectedTensors(name));
  ({ config, checkpoint } = await openJanus(folder));
  ({ tokenizer, ids } = await openTokens(folder, { vocabulary: config.decoder.vocabulary, speakers: 'pro' }));
  sequences = janusSequences(tokenizer, ids, 'pro');
  const options = backendConfig.parse({ model: folder, guidance: weight }, { source: 'test' });
  backend = await createJanusBackend(options, { runtime });
});
afterAll(() => runtime.dispose());

const numbers = (key: string) => toNumbers(get(key));

describe('sequences', () => {
  it('that draw, with the prompt and without', () => {
    const drawing = sequences.draw(prompt);
    expect(drawing).toEqual(numbers('gen.cond_ids'));
    expect(sequences.unconditional?.(drawing)).toEqual(numbers('gen.uncond_ids'));
  });

  it('that read', () => {
    const image = { count: visionTokens(config.vision) };
    expect(sequences.read(question, image)).toEqual(numbers('reread.message_ids'));
    expect(tokenizer.encodePlain(prompt)).toEqual(numbers('reread.target_ids'));
    const asked = numbers('und.input_ids');
    const words = tokenizer.decode(asked.slice(asked.indexOf(ids.endImage))).replace(/^\n|\n\n:$/g, '');
    expect(sequences.read(words, image)).toEqual(asked);
  });
});

function modelOf(target: Target, dtype: DType): AutoregressiveModel {
  return {
    config: config.decoder,
    prefix: decoderPrefix,
    routes: janusRoutes(config),
    modules: janusModules(config),
    weights: weightsAs[dtype],
    target,
    dtype,
  };
}

/** Logits of the last `count` places of whole sequences of one length, [rows * count, ..]. */
function lastLogits(
  graph: Graph,
  rows: readonly (readonly number[])[],
  options: { kind: 'image' | 'text'; count: number; features?: Tensor; dtype?: DType },
): Tensor {
  const { kind, count, features, dtype = 'float32' } = options;
  const length = rows[0]?.length ?? 0;
  const routed = routedDecoder(graph, modelOf(graph.target, dtype), { positions: length });
  const shape = [rows.length, length];
  const batch = {
    ids: constant(graph, 'int64', shape, rows.flat()),
    positions: constant(
      graph,
      'int64',
      shape,
      rows.flatMap((row) => [...row.keys()]),
    ),
    real: constant(
      graph,
      'float32',
      shape,
      rows.flatMap((row) => row.map(() => 1)),
    ),
  };
  const shown = features && { placeholder: ids.placeholder, rows: features };
  const hidden = allStates(routed, batch, shown).at(-1);
  if (!hidden) throw new Error('a decoder has layers');
  const { width } = config.decoder;
  const last = slice(reshape(hidden, [rows.length, length, width]), 1, { start: -count });
  const states = reshape(last, [-1, width]);
  return kind === 'image' ? imageLogits(routed, states, 'image') : textLogits(routed, states, 'text');
}

const weightsAs = {
  float32: oncePerGraph((graph) => checkpointWeights(graph, checkpoint)),
  float64: oncePerGraph((graph) => checkpointWeights(graph, checkpoint, 'float64')),
};

/** The features of the reference's pixels, from the tower in the same graph. */
function shownFeatures(graph: Graph, key: string): Tensor {
  const modules = createModules(graph, weightsAs.float32(graph));
  const side = config.vision.imageSide;
  const pixels = reshape(constantData(graph, get(key)), [1, 3, side, side]);
  const features = visionFeatures(modules, config.vision, pixels);
  return alignFeatures(modules, features, {
    layers: config.vision.alignerLayers,
    decoderWidth: config.decoder.width,
  });
}

type DType = 'float32' | 'float64';

async function run(target: Target, build: (graph: Graph) => Readonly<Record<string, Tensor>>) {
  const graph = createGraph({ name: 'test', target });
  for (const [key, tensor] of Object.entries(build(graph))) output(key, tensor);
  await using session = await runtime.load(compile(graph));
  return await session.run<string>({});
}

describe.each(targets)('on the %s target', (target) => {
  it('logits of words after an image, and the likeliest continuation', async () => {
    const asked = numbers('und.input_ids');
    const [count = 0] = get('und.logits_last40').shape;
    const greedy = numbers('und.greedy12');
    const found = await run(target, (graph) => {
      const features = shownFeatures(graph, 'und.pixel_values');
      const continued = [...asked, ...greedy.slice(0, -1)];
      return {
        logits: lastLogits(graph, [asked], { kind: 'text', count, features }),
        continued: lastLogits(graph, [continued], { kind: 'text', count: greedy.length, features }),
      };
    });
    expectClose(found.logits, get('und.logits_last40'));
    expect(likeliest(valuesOf(found.continued), greedy.length)).toEqual(greedy);
  });

  it.each(['greedy', 'gumbel'])('drawing step by step, %s: both rows, guided, and what is drawn', async (how) => {
    const tokens = numbers(`gen.${how}.tokens`);
    const after = tokens.slice(0, -1).map((token) => token + config.decoder.vocabulary);
    const rows = ['gen.cond_ids', 'gen.uncond_ids'].map((key) => [...numbers(key), ...after]);
    const steps = tokens.length;
    const drawn = (dtype: DType) => (graph: Graph) => {
      const logits = lastLogits(graph, rows, { kind: 'image', count: steps, dtype });
      const conditional = slice(logits, 0, { end: steps });
      const { guided } = guide(logits, { scale: weight, formula: 'u + w(c - u)' });
      const noise = cast(constantData(graph, get('gen.gumbel')), dtype);
      return {
        conditional,
        unconditional: slice(logits, 0, { start: steps }),
        guided,
        chosenBy: how === 'gumbel' ? add(guided, noise) : guided,
        logProbs: concat([logSoftmax(guided), logSoftmax(conditional)], 0),
      };
    };
    const [found, exact] = [await run(target, drawn('float32')), await run('reference', drawn('float64'))];
    const codes = config.vq.codes;
    const [kept = 0] = get(`gen.${how}.cfg_logits`).shape;
    const first = (tensor: TensorData | undefined) => valuesOf(tensor).slice(0, kept * codes);
    expectNear(first(found.conditional), numbers(`gen.${how}.cond_logits`), tolerance);
    expectNear(first(found.unconditional), numbers(`gen.${how}.uncond_logits`), tolerance);
    expect(likeliest(valuesOf(found.chosenBy), steps)).toEqual(tokens);

    // Guidance multiplies the errors of both rows, of the reference's too, by w and w - 1.
    const expectGuided = (ours: readonly number[], truth: readonly number[], reference: readonly number[]) => {
      const own = difference(reference, truth);
      expect(own, 'the reference must itself be right').toBeLessThan((2 * weight - 1) * tolerance);
      expectNear(ours, reference, tolerance + own);
    };
    expectGuided(first(found.guided), first(exact.guided), numbers(`gen.${how}.cfg_logits`));
    const chosen = (tensor: TensorData | undefined, half: number) => {
      const values = valuesOf(tensor);
      return tokens.map((token, i) => values[(half * steps + i) * codes + token] ?? Number.NaN);
    };
    expectGuided(chosen(found.logProbs, 0), chosen(exact.logProbs, 0), numbers(`gen.${how}.logprobs_cfg`));
    expectNear(chosen(found.logProbs, 1), numbers(`gen.${how}.logprobs_cond`), tolerance);
  });
});

describe('through the backend', () => {
  it('the likeliest tokens under guidance, from prompts of several lengths at once', async () => {
    const randomness = randomStream(1, 'test').at();
    const sampler = { ...exactSampler, temperature: 0 };
    const requests = [prompt, `${prompt} ${prompt}`, prompt].map((text) => ({ prompt: text, randomness }));
    const drawings = await backend.draw(requests, { sampler });
    for (const drawing of [drawings[0], drawings[2]]) {
      expect([...(drawing?.tokens ?? [])]).toEqual(numbers('gen.greedy.tokens'));
      expectNear([...(drawing?.logProbs ?? [])], numbers('gen.greedy.logprobs_cond'), tolerance);
    }
  });

  it('drawing under given noise: numbers that choose the tokens of the reference, through the program that draws', async () => {
    const tokens = numbers('gen.gumbel.tokens');
    const codes = config.vq.codes;
    const guided = numbers('gen.gumbel.cfg_logits');
    // The reference adds noise to logits, the sampler inverts the distribution: the middle of a token's share means that token.
    const uniform = tokens.map((token, step) => {
      const row = guided
        .slice(step * codes, (step + 1) * codes)
        .map((logit, _, all) => Math.exp(logit - Math.max(...all)));
      const upTo = (end: number) => row.slice(0, end).reduce((total, share) => total + share, 0);
      return (upTo(token) + upTo(token + 1)) / (2 * upTo(codes));
    });
    const rows = ['gen.cond_ids', 'gen.uncond_ids'].map((key) => numbers(key));
    const length = rows[0]?.length ?? 0;
    const steps = tokens.length;
    const guidance = { scale: weight, formula: 'u + w(c - u)' } as const;
    const program = drawProgram(
      modelOf('cpu', 'float32'),
      { rows: 1, length },
      { steps, sampler: exactSampler, guidance },
    );
    await using session = await runtime.load(program);
    const found = await session.run<'tokens' | 'policy' | 'sampler'>({
      ids: tensorData('int64', [2, length], rows.flat()),
      positions: tensorData(
        'int64',
        [2, length],
        rows.flatMap((row) => [...row.keys()]),
      ),
      real: tensorData(
        'float32',
        [2, length],
        rows.flatMap((row) => row.map(() => 1)),
      ),
      uniform: tensorData('float32', [steps, 1, 1], uniform),
    });
    expect(toNumbers(found.tokens)).toEqual(tokens);
    expectNear(toNumbers(found.policy), numbers('gen.gumbel.logprobs_cond'), tolerance);
    expectNear(toNumbers(found.sampler), numbers('gen.gumbel.logprobs_cfg'), (2 * weight - 1) * tolerance);
  });

  it('the picture of drawn tokens, to the byte but where the reference is at an edge', async () => {
    const drawing = {
      tokens: Int32Array.from(numbers('gen.gumbel.tokens')),
      prompt,
      randomness: randomStream(1, 'x').at(),
    };
    const [pixels] = await backend.decode([drawing]);
    const reference = numbers('vq.pixels_u8_hwc');
    const exact = numbers('vq.pixels_255_float_chw');
    const [, height = 0, width = 0] = get('vq.pixels_255_float_chw').shape;
    expect(pixels).toMatchObject({ width, height });
    for (const [i, value] of [...(pixels?.data ?? [])].entries()) {
      const [channel, place] = [i % 3, Math.floor(i / 3)];
      const real = exact[channel * width * height + place] ?? Number.NaN;
      const isEdge = Math.abs(real - Math.round(real)) < 1e-2;
      expect(Math.abs(value - (reference[i] ?? Number.NaN))).toBeLessThanOrEqual(isEdge ? 1 : 0);
    }
  });

  it('how probable the prompt is, given the picture', async () => {
    const [height = 0, width = 0] = get('vq.pixels_u8_hwc').shape;
    const pixels = { width, height, data: Uint8Array.from(numbers('vq.pixels_u8_hwc')) };
    const [trace] = await backend.read([{ image: { pixels }, instruction: question, text: prompt }]);
    const found = trace?.logProbs ?? [];
    expectNear(found, numbers('reread.logprobs'), tolerance);
    const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
    expect(Math.exp(mean)).toBeCloseTo(numbers('reread.reward')[0] ?? Number.NaN, 6);
    expect(trace?.tokens.join('')).toBe(prompt);
  });
});

/** The index of the largest number in each of some rows of one length. */
function likeliest(values: readonly number[], rows: number): readonly number[] {
  const size = values.length / rows;
  return Array.from({ length: rows }, (_, i) => {
    const row = values.slice(i * size, (i + 1) * size);
    return row.indexOf(Math.max(...row));
  });
}
