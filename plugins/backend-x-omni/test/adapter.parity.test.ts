/**
 * X-Omni with an adapter of PEFT on every linear layer, both embedding tables and both heads, as the paper's trainer makes it, against
 * PyTorch: logits, log-probabilities and rewards with the adapter on and off, and the gradients of three losses.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ActiveAdapter, Backend, Drawing } from '@gvu/models';
import {
  compile,
  createGraph,
  flatSize,
  flatten,
  gradients,
  input,
  type LoraAdapter,
  loraLayout,
  output,
  packFlat,
  Runtime,
  readAdapter,
  type Target,
  tensorData,
  unflatten,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createXOmniBackend } from '../src/backend.ts';
import { difference, type Expected, fixture, numbers, readExpected } from './fixtures.ts';

const base = fixture('x-omni-tiny');
const folder = fixture('x-omni-grpo');
const settings: { prompts: string[]; grid: [number, number]; question: string } = JSON.parse(
  readFileSync(join(base, 'prompts.json'), 'utf8'),
);
const [rows, columns] = settings.grid;

let runtime: Runtime;
let backend: Backend;
let adapter: LoraAdapter;
let active: ActiveAdapter;
let plain: Expected;
let expected: Expected;
let drawings: readonly Drawing[];
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  [plain, expected] = await Promise.all([readExpected(base), readExpected(folder)]);
  const { vision_config } = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'));
  const { patch_size: patch } = vision_config.transform;
  const imageSize = { width: patch * columns, height: patch * rows };
  backend = await createXOmniBackend(
    { model: base, imageSize, sampler: 'exact', guidance: 1, dtype: 'float32' },
    { runtime },
  );
  adapter = await readAdapter(folder, backend.modules);
  const layout = loraLayout(backend.modules, adapter.options);
  const variables = await runtime.variables({ adapter: packFlat(layout, 'float32', adapter.tensors) });
  active = { options: adapter.options, variables };
  drawings = plain.rows('sample.tokens').map((tokens, row) => ({
    prompt: settings.prompts[plain.values('sample.prompt_index')[row] ?? 0] ?? '',
    tokens: Int32Array.from(tokens),
    logProbs: new Float32Array(rows * columns),
    samplerLogProbs: new Float32Array(rows * columns),
  }));
});
afterAll(() => runtime.dispose());

it('the layout is the order in which the fixture has its gradients', () => {
  const { order }: { order: { name: string; shape: number[] }[] } = JSON.parse(
    readFileSync(join(folder, 'lora_order.json'), 'utf8'),
  );
  const layout = loraLayout(backend.modules, adapter.options);
  expect(layout.map(({ name, shape }) => ({ name: `base_model.model.${name}`, shape }))).toEqual(
    order.map(({ name, shape }) => ({ name, shape })),
  );
});

it.each(['on', 'off'] as const)('rewards with the adapter %s', async (state) => {
  const requests = drawings.map(({ prompt, tokens }) => ({
    image: { tokens },
    instruction: settings.question,
    text: prompt,
  }));
  const traces = await backend.read(requests, state === 'on' ? { adapter: active } : {});
  const rewards = traces.map(({ logProbs }) =>
    Math.exp(logProbs.reduce((sum, value) => sum + value, 0) / logProbs.length),
  );
  for (const [i, wanted] of expected.values(`reward.adapter_${state}`).entries())
    expect(Math.abs((rewards[i] ?? Number.NaN) / wanted - 1), `row ${i}`).toBeLessThan(1e-4);
});

describe.each(['cpu', 'cuda', 'reference'] satisfies Target[])('the policy on the %s target', (target) => {
  /** Log-probabilities [B, T] with the adapter and without, and the adapter's gradient from the upstream gradient `seed` [B, T]. */
  async function policy(seed: readonly number[], options: { checkpointing?: boolean } = {}) {
    const graph = createGraph({ name: 'policy', target });
    const layout = loraLayout(backend.modules, adapter.options);
    const tensors = unflatten(input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] }), layout);
    const promptLength = backend.trainable.promptLength(drawings.map(({ prompt }) => prompt));
    const common = { rows: drawings.length, promptLength, temperature: 1, ...options };
    const scale = adapter.options.alpha / adapter.options.rank;
    const { logp } = backend.trainable.build(graph, { ...common, adapter: { tensors, scale } });
    output('on', logp);
    output('off', backend.trainable.build(graph, common).logp);
    output('gradient', flatten(gradients(logp, [...tensors.values()], { seed: input(graph, 'seed', logp) })));
    await using session = await runtime.load(compile(graph), { use: 'training' });
    const feeds = {
      ...backend.trainable.feeds(drawings, { promptLength }),
      seed: tensorData('float32', logp.shape, seed),
    };
    return await session.run(feeds, { variables: active.variables });
  }

  it('gives the log-probabilities of the reference, with the adapter and without, in one graph', async () => {
    const found = await policy(expected.values('image_logps').map(() => 0));
    expect(difference(numbers(found.on), expected.values('image_logps'))).toBeLessThan(1e-4);
    expect(difference(numbers(found.off), expected.values('ref_logps_adapter_off'))).toBeLessThan(1e-4);
    expect(difference(numbers(found.off), plain.values('sample.logprobs'))).toBeLessThan(1e-4);
  });

  const derivatives: Readonly<
    Record<string, (at: { lp: number; ref: number; old: number; advantage: number }) => number>
  > = {
    // The mean of -A ratio + 0.03 k3, where the ratio is 1 and k3 = exp(ref - lp) - (ref - lp) - 1.
    gvu_on_policy: ({ lp, ref, advantage }) => -advantage + 0.03 * (1 - Math.exp(ref - lp)),
    // The mean of -min(A ratio, A clip(ratio, 0.8, 1.28)) + 0.04 k3.
    dapo_off_policy: ({ lp, ref, old, advantage }) => {
      const ratio = Math.exp(lp - old);
      const clipped = Math.min(Math.max(ratio, 0.8), 1.28);
      const isFree = ratio * advantage <= clipped * advantage;
      return (isFree ? -advantage * ratio : 0) + 0.04 * (1 - Math.exp(ref - lp));
    },
  };

  it.each([
    ['gvu_on_policy', {}],
    ['gvu_on_policy', { checkpointing: true }],
    ['dapo_off_policy', {}],
  ])('gives the gradient of the loss %s, %o', async (name, options) => {
    const [refs, olds] = [expected.values('ref_logps_adapter_off'), expected.values('old_logps')];
    const advantages = expected.values('advantages');
    const logps = expected.values('image_logps');
    const seed = logps.map((lp, i) => {
      const [ref = 0, old = 0, advantage = 0] = [refs[i], olds[i], advantages[Math.floor(i / (rows * columns))]];
      return (derivatives[name]?.({ lp, ref, old, advantage }) ?? Number.NaN) / logps.length;
    });
    const { gradient } = await policy(seed, options);
    const wanted = expected.values(`case.${name}.grad`);
    const largest = Math.max(...wanted.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(difference(numbers(gradient), wanted)).toBeLessThan(2e-4 * largest);
  });
});
