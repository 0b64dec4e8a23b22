/**
 * The decoder against Hugging Face transformers, from checkpoints in its layout: hidden states, logits, padding, greedy text.
 *
 * The references are float32 results, themselves up to 3e-5 away from the exact value (the same decoder in float64). So a result may be
 * 2e-5 away from the exact value, and from the reference by what the reference itself is away besides; the test computes it each time.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  causalMask,
  compile,
  constantData,
  createGraph,
  exactSampler,
  gatherElements,
  logSoftmax,
  openCheckpoint,
  openSafetensors,
  output,
  Runtime,
  readTensors,
  type Target,
  type Tensor,
  type TensorData,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpointWeights, checkWeights } from '../src/checkpoint-weights.ts';
import { type DecoderConfig, decoderConfig } from '../src/decoder/config.ts';
import { createDecoder, type Decoder, embedTokens, runBlocks } from '../src/decoder/decoder.ts';
import { decoderParameters } from '../src/decoder/parameters.ts';
import { rollout, sequenceLogits, type TokenBatch } from '../src/decoder/rollout.ts';
import { createModules } from '../src/modules.ts';
import { fixture } from './fixtures.ts';

const models = ['llama-tiny', 'llama3-rope-tiny', 'qwen2-tiny', 'qwen2-tiny-bf16', 'qwen3-tiny'];
const targets: readonly Target[] = ['cpu', 'cuda', 'reference'];

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

describe.each(models)('%s', (name) => {
  const folder = fixture(name);
  let config: DecoderConfig;
  let checkpoint: Checkpoint;
  let expected: ReadonlyMap<string, TensorData>;
  beforeAll(async () => {
    config = decoderConfig(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')));
    checkpoint = await openCheckpoint(folder);
    expected = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
    checkWeights(checkpoint, decoderParameters(config));
  });
  const get = (key: string): TensorData => {
    const tensor = expected.get(key);
    if (!tensor) throw new Error(`the fixture lacks ${key}`);
    return tensor;
  };

  type Build = (decoder: Decoder) => Readonly<Record<string, Tensor>>;

  /** Builds a program around the decoder and runs it once. */
  async function run(target: Target, build: Build, dtype: 'float32' | 'float64' = 'float32') {
    const graph = createGraph({ name, target });
    const modules = createModules(graph, checkpointWeights(graph, checkpoint, dtype));
    for (const [key, tensor] of Object.entries(build(createDecoder(modules, config, { positions: 512, dtype }))))
      output(key, tensor);
    await using session = await runtime.load(compile(graph));
    return await session.run({});
  }

  /** Runs the program in float32 and compares each of its values, cut to what the fixture has, with the fixture's. */
  async function expectAgreement(target: Target, build: Build, references: Readonly<Record<string, Reference>>) {
    const [found, exact] = [await run(target, build), await run('reference', build, 'float64')];
    for (const [key, { expected: reference, pick = (values: readonly number[]) => values }] of Object.entries(
      references,
    )) {
      const [ours, theirs, truth] = [pick(valuesOf(found[key])), toNumbers(reference), pick(valuesOf(exact[key]))];
      const own = difference(theirs, truth);
      expect(own, 'the reference must itself be right').toBeLessThan(1e-4);
      expect(difference(ours, theirs), key).toBeLessThan(2e-5 + own);
    }
  }

  function batchOf(
    decoder: Decoder,
    ids: readonly (readonly number[])[],
    positions?: readonly number[],
    real?: readonly number[],
  ): TokenBatch {
    const shape = [ids.length, ids[0]?.length ?? 0];
    const int = (values: readonly number[]) => constantData(decoder.modules.graph, tensorData('int64', shape, values));
    return {
      ids: int(ids.flat()),
      positions: int(positions ?? ids.flatMap((row) => [...row.keys()])),
      real: real && int(real),
    };
  }

  describe.each(targets)('on the %s target', (target) => {
    it.each(['seq0', 'seq1'])('%s: logits and log-probabilities', async (seq) => {
      const ids = toNumbers(get(`${seq}.input_ids`));
      await expectAgreement(
        target,
        (decoder) => {
          const logits = sequenceLogits(decoder, batchOf(decoder, [ids]));
          const next = constantData(decoder.modules.graph, tensorData('int64', [ids.length, 1], [...ids.slice(1), 0]));
          return { logits, logprobs: gatherElements(logSoftmax(logits), next, 1) };
        },
        {
          logits: { expected: get(`${seq}.logits`) },
          logprobs: { expected: get(`${seq}.logprobs`), pick: (values) => values.slice(0, -1) },
        },
      );
    });

    it.each(['batch_left', 'batch_right'])('%s: padding changes nothing at real tokens', async (side) => {
      const [, length = 0] = get(`${side}.input_ids`).shape;
      const flat = toNumbers(get(`${side}.input_ids`));
      const rows = Array.from({ length: flat.length / length }, (_, i) => flat.slice(i * length, (i + 1) * length));
      const real = toNumbers(get(`${side}.attention_mask`));
      const { vocabulary } = config;
      await expectAgreement(
        target,
        (decoder) => ({
          logits: sequenceLogits(decoder, batchOf(decoder, rows, toNumbers(get(`${side}.position_ids`)), real)),
        }),
        {
          logits: {
            // Stored once: real tokens come in the same order on both sides.
            expected: get('batch_left.logits_at_real_tokens'),
            pick: (values) =>
              real.flatMap((flag, i) => (flag ? values.slice(i * vocabulary, (i + 1) * vocabulary) : [])),
          },
        },
      );
    });

    it.each(['seq0', 'seq1'])('%s: greedy continuation, alone and left-padded', async (seq) => {
      const ids = toNumbers(get(`${seq}.input_ids`));
      const greedy = toNumbers(get(`${seq}.greedy12`));
      const { tokens, padded } = await run(target, (decoder) => {
        const { graph } = decoder.modules;
        const uniform = constantData(
          graph,
          tensorData(
            'float32',
            [greedy.length, 1, 1],
            greedy.map(() => 0),
          ),
        );
        const options = { steps: greedy.length, sampler: { ...exactSampler, temperature: 0 }, uniform };
        const pad = [0, 0, 0];
        const shifted = batchOf(decoder, [[...pad, ...ids]], [...pad, ...ids.keys()], [...pad, ...ids.map(() => 1)]);
        return {
          tokens: rollout(decoder, batchOf(decoder, [ids]), options).tokens,
          padded: rollout(decoder, shifted, options).tokens,
        };
      });
      expect(tokens && toNumbers(tokens)).toEqual(greedy);
      expect(padded && toNumbers(padded)).toEqual(greedy);
    });
  });

  it('hidden states after every block', async () => {
    const ids = toNumbers(get('seq0.input_ids'));
    await expectAgreement(
      'cpu',
      (decoder) => {
        const { ids: tokens, positions } = batchOf(decoder, [ids]);
        const mask = causalMask(decoder.modules.graph, decoder.dtype, ids.length);
        const layers = runBlocks(decoder, { hidden: embedTokens(decoder, tokens), positions, mask });
        return Object.fromEntries(layers.map((hidden, i) => [`layer${i}`, hidden]));
      },
      Object.fromEntries(
        Array.from({ length: config.layers }, (_, i) => [
          `layer${i}`,
          { expected: get(`seq0.hidden_after_layer${i}`) },
        ]),
      ),
    );
  });
});

interface Reference {
  readonly expected: TensorData;
  readonly pick?: (values: readonly number[]) => readonly number[];
}

function valuesOf(tensor: TensorData | undefined): readonly number[] {
  if (!tensor) throw new Error('an output is missing');
  return toNumbers(tensor);
}

function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
