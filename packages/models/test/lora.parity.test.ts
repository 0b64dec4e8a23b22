/**
 * A decoder with PEFT's adapter against PyTorch: log-probabilities with the adapter on and off, and the adapter's gradients. The
 * losses of the fixture enter by their derivatives with respect to the log-probabilities, so that no loss is needed here.
 *
 * The references are float32 results, so log-probabilities may be 2e-5 away from the exact value (the same model in float64), and from the
 * reference by what the reference itself is away besides.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  compile,
  concat,
  constantData,
  createGraph,
  flatSize,
  flatten,
  type Graph,
  gatherElements,
  gradients,
  input,
  type LoraAdapter,
  logSoftmax,
  loraLayout,
  mul,
  openCheckpoint,
  openSafetensors,
  output,
  packFlat,
  Runtime,
  readAdapter,
  readTensors,
  reshape,
  type Session,
  slice,
  type Target,
  type Tensor,
  type TensorData,
  tensorData,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpointWeights } from '../src/checkpoint-weights.ts';
import { type DecoderConfig, decoderConfig } from '../src/decoder/config.ts';
import { createDecoder } from '../src/decoder/decoder.ts';
import { decoderModules } from '../src/decoder/parameters.ts';
import { sequenceLogits } from '../src/decoder/rollout.ts';
import { createModules } from '../src/modules.ts';
import { fixture } from './fixtures.ts';

interface Case {
  name: string;
  temperature: number;
}

const folder = fixture('grpo-grads');
const { base_model_name_or_path: base } = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
const { cases }: { cases: Case[] } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const targets: readonly Target[] = ['cpu', 'cuda', 'reference'];

let runtime: Runtime;
let config: DecoderConfig;
let checkpoint: Checkpoint;
let expected: ReadonlyMap<string, TensorData>;
let adapter: LoraAdapter;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  const model = join(folder, base);
  config = decoderConfig(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')));
  checkpoint = await openCheckpoint(model);
  expected = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
  adapter = await readAdapter(folder, decoderModules(config));
});
afterAll(() => runtime.dispose());

function get(name: string): TensorData {
  const tensor = expected.get(name);
  if (!tensor) throw new Error(`the fixture lacks ${name}`);
  return tensor;
}

const valuesOf = (tensor: TensorData | undefined): readonly number[] => {
  if (!tensor) throw new Error('an output is missing');
  return toNumbers(tensor);
};

/** Log-probabilities [B, Lc] of the fixture's completions, by a decoder with these adapter tensors (or without). */
function logProbs(
  graph: Graph,
  tensors: ReadonlyMap<string, Tensor> | undefined,
  temperature: number,
  dtype: 'float32' | 'float64' = 'float32',
): Tensor {
  const int = (name: string) => {
    const { shape, ...rest } = get(name);
    return constantData(graph, tensorData('int64', shape, toNumbers({ shape, ...rest })));
  };
  const [ids, real] = ['ids', 'mask'].map((what) => concat([int(`prompt_${what}`), int(`completion_${what}`)], 1));
  if (!ids || !real) throw new Error('both were just made');
  const [batch = 0, length = 0] = ids.shape;
  const completion = get('completion_ids').shape[1] ?? 0;
  const positions = Array.from({ length: batch }, () => [...Array(length).keys()]).flat();
  const scale = adapter.options.alpha / adapter.options.rank;
  const modules = createModules(graph, checkpointWeights(graph, checkpoint, dtype), tensors && { tensors, scale });
  const logits = sequenceLogits(createDecoder(modules, config, { positions: length, dtype }), {
    ids,
    positions: constantData(graph, tensorData('int64', [batch, length], positions)),
    real,
  });
  const before = slice(reshape(logits, [batch, length, config.vocabulary]), 1, { start: -completion - 1, end: -1 });
  const all = logSoftmax(mul(before, 1 / temperature));
  return reshape(gatherElements(all, reshape(int('completion_ids'), [batch, completion, 1]), 2), [batch, completion]);
}

/** Log-probabilities, and the gradient of the flat adapter from the upstream gradient `seed` [B, Lc]. */
async function adapted(target: Target, temperature: number): Promise<Session> {
  const graph = createGraph({ name: 'adapted', target });
  const layout = loraLayout(decoderModules(config), adapter.options);
  const tensors = unflatten(input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] }), layout);
  const found = logProbs(graph, tensors, temperature);
  output('logps', found);
  const seed = input(graph, 'seed', { dtype: 'float32', shape: found.shape });
  output('grad', flatten(gradients(found, [...tensors.values()], { seed })));
  return await runtime.load(compile(graph), { use: 'training' });
}

const flatAdapter = () => packFlat(loraLayout(decoderModules(config), adapter.options), 'float32', adapter.tensors);

it('the layout is the order in which the fixture has its gradients', () => {
  const { order }: { order: { name: string; shape: number[] }[] } = JSON.parse(
    readFileSync(join(folder, 'lora_order.json'), 'utf8'),
  );
  const layout = loraLayout(decoderModules(config), adapter.options);
  expect(layout.map(({ name, shape }) => ({ name: `base_model.model.${name}`, shape }))).toEqual(
    order.map(({ name, shape }) => ({ name, shape })),
  );
});

describe.each(targets)('on the %s target', (target) => {
  it('log-probabilities with the adapter on, off and on again, in one session', async () => {
    await using session = await adapted(target, 1);
    const on = flatAdapter();
    const off = tensorData('float32', on.shape, new Float32Array(on.data.length));
    const run = async (values: TensorData) => (await session.run({ adapter: values, seed: get('logps') })).logps;
    const first = await run(on);
    expectReal(first, 'logps', await exactly(on));
    const without = await run(off);
    expectReal(without, 'base_logps_adapter_off', await exactly(undefined));
    expect(await run(on)).toEqual(first);

    const graph = createGraph({ name: 'base', target });
    output('logps', logProbs(graph, undefined, 1));
    await using base = await runtime.load(compile(graph), { use: 'training' });
    // The adapter that is off is the base to the last bit.
    expect(without).toEqual((await base.run({})).logps);
  });

  it('gradients of the adapter under every loss', async () => {
    const sessions = new Map<number, Session>();
    for (const { name, temperature } of cases) {
      // Its entropy has a path of its own to the weights, which d_logps leaves out.
      if (name === 'entropy_bonus') continue;
      const session = sessions.get(temperature) ?? (await adapted(target, temperature));
      sessions.set(temperature, session);
      const { grad } = await session.run({ adapter: flatAdapter(), seed: get(`case.${name}.d_logps`) });
      const [found, wanted] = [valuesOf(grad), valuesOf(get(`case.${name}.grad`))];
      const largest = Math.max(...wanted.map(Math.abs));
      expect(largest, name).toBeGreaterThan(0);
      expect(difference(found, wanted), name).toBeLessThan(2e-4 * largest);
    }
    expect(sessions.size).toBeGreaterThan(1);
    for (const session of sessions.values()) await session.dispose();
  });
});

/** The log-probabilities in float64, with the values of an adapter or without. */
async function exactly(values: TensorData | undefined): Promise<TensorData | undefined> {
  const graph = createGraph({ name: 'exact', target: 'reference' });
  const flat = values && constantData(graph, tensorData('float64', values.shape, toNumbers(values)));
  const tensors = flat && unflatten(flat, loraLayout(decoderModules(config), adapter.options));
  output('logps', logProbs(graph, tensors, 1, 'float64'));
  await using session = await runtime.load(compile(graph));
  return (await session.run({})).logps;
}

/** Compares at the tokens that are no padding. */
function expectReal(found: TensorData | undefined, name: string, exact: TensorData | undefined): void {
  const mask = valuesOf(get('completion_mask'));
  const [ours, theirs, truth] = [found, get(name), exact].map((tensor) =>
    valuesOf(tensor).filter((_, i) => mask[i] === 1),
  );
  const own = difference(theirs ?? [], truth ?? []);
  expect(own, 'the reference must itself be right').toBeLessThan(1e-4);
  expect(difference(ours ?? [], theirs ?? [])).toBeLessThan(2e-5 + own);
}

function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
