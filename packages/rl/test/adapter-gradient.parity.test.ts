/**
 * The whole way from an adapter to its gradient against PyTorch and PEFT: decoder with LoRA, log-probabilities and entropies of
 * completions, loss, and autodiff through all of it. This covers what the losses alone cannot: the temperature, and the bonus's
 * way through the entropy. One program has one backward pass for each case.
 *
 * The references are float32 results: a loss that raises ratios to powers (VESPO's) carries their error further than others. So a loss may be
 * 5e-5 away from the exact value (the same in float64), and from the reference by what the reference itself is away besides.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkpointWeights,
  createDecoder,
  createModules,
  type DecoderConfig,
  decoderConfig,
  sequenceLogits,
} from '@gvu/models';
import {
  type Checkpoint,
  entropy,
  type FlatLayout,
  gradients,
  mul,
  openCheckpoint,
  openSafetensors,
  output,
  packFlat,
  readTensors,
  reshape,
  slice,
  type Tensor,
  tokenLogProb,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Declare, evaluate, float64, type Precision, useSharedRuntime } from './evaluate.ts';
import { algorithmOf, cases, circumstances, type Expected, folder, readExpected } from './grpo-cases.ts';
import { declareBatch } from './run-losses.ts';

useSharedRuntime();

// The fixture's own list of tensors, and PEFT's description of the adapter.
const { order } = readJson('lora_order.json') as { order: { name: string; shape: number[] }[] };
const peft = readJson('adapter_config.json') as { base_model_name_or_path: string; r: number; lora_alpha: number };
const inModel = (name: string) => name.replace('base_model.model.', '');
const layout: FlatLayout = order.map(({ name, shape }) => ({ name: inModel(name), shape }));
const base = join(folder, peft.base_model_name_or_path);

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(folder, name), 'utf8'));
}

interface Policy {
  readonly checkpoint: Checkpoint;
  readonly config: DecoderConfig;
  /** All values of the adapter in the order of the fixture. */
  readonly adapter: readonly number[];
}

async function readPolicy(): Promise<Policy> {
  const saved = await readTensors((await openSafetensors(join(folder, 'adapter_model.safetensors'))).tensors.values());
  return {
    checkpoint: await openCheckpoint(base),
    config: decoderConfig(JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'))),
    adapter: toNumbers(packFlat(layout, 'float32', new Map([...saved].map(([name, data]) => [inModel(name), data])))),
  };
}

/** Logits [B, completion, V] of the fixture's completions, and the tokens [B, completion] that they are about. */
function completions(
  declare: Declare,
  expected: Expected,
  { checkpoint, config, adapter }: Policy,
  dtype: Precision['dtype'],
) {
  const joined = (prompt: string, completion: string) =>
    expected.rows(prompt).map((row, b) => [...row, ...(expected.rows(completion)[b] ?? [])]);
  const flat = declare('adapter', adapter);
  const { graph } = flat.block;
  const ids = declare('ids', joined('prompt_ids', 'completion_ids'), 'int64');
  const [rows = 0, length = 0] = ids.shape;
  const modules = createModules(graph, checkpointWeights(graph, checkpoint, dtype), {
    tensors: unflatten(flat, layout),
    scale: peft.lora_alpha / peft.r,
  });
  const logits = sequenceLogits(createDecoder(modules, config, { positions: length, dtype }), {
    ids,
    positions: declare('positions', Array(rows).fill([...Array(length).keys()]), 'int64'),
    real: declare('real', joined('prompt_mask', 'completion_mask')),
  });
  const first = expected.get('prompt_ids').shape[1] ?? 0;
  return {
    flat,
    logits: slice(reshape(logits, [rows, length, -1]), 1, { start: first - 1, end: -1 }),
    tokens: slice(ids, 1, { start: first }),
  };
}

describe('the gradient of an adapter agrees with PyTorch', () => {
  let expected: Expected;
  let found: Record<string, readonly number[]>;
  let exact: Record<string, readonly number[]>;
  // Building 28 backward passes takes seconds.
  beforeAll(async () => {
    expected = await readExpected();
    const source = await readPolicy();
    const run = (precision: Precision, { slopes }: { slopes: boolean }) =>
      evaluate((declare) => {
        const { flat, logits, tokens } = completions(declare, expected, source, precision.dtype);
        const policies = new Map<number, { logp: Tensor; entropy: Tensor }>();
        for (const row of cases) {
          const tempered = row.temperature === 1 ? logits : mul(logits, 1 / row.temperature);
          const policy = policies.get(row.temperature) ?? {
            logp: tokenLogProb(tempered, tokens),
            entropy: entropy(tempered),
          };
          policies.set(row.temperature, policy);
          const circumstance = declareBatch(declare, row.name, circumstances(row, expected));
          const { loss } = algorithmOf(row).loss({ ...circumstance, ...policy });
          output(`${row.name}.loss`, loss);
          if (slopes) for (const gradient of gradients(loss, [flat])) output(`${row.name}.grad`, gradient);
        }
      }, precision);
    found = await run({ target: 'cpu', dtype: 'float32' }, { slopes: true });
    exact = await run(float64, { slopes: false });
  }, 120_000);

  it.each(cases)('$name', ({ name }) => {
    const gradient = found[`${name}.grad`] ?? [];
    const reference = expected.numbers(`case.${name}.grad`);
    const largest = Math.max(...reference.map(Math.abs));
    const [ours = Number.NaN, theirs = Number.NaN, truth = Number.NaN] = [
      found[`${name}.loss`]?.[0],
      expected.numbers(`case.${name}.loss`)[0],
      exact[`${name}.loss`]?.[0],
    ];
    const own = Math.abs(theirs - truth);
    expect(own, 'the reference must itself be right').toBeLessThan(2e-4);
    expect(Math.abs(ours - theirs)).toBeLessThan(5e-5 + own);
    expect(gradient).toHaveLength(reference.length);
    expect(
      Math.max(...gradient.map((value, i) => Math.abs(value - (reference[i] ?? Number.NaN)))) / largest,
    ).toBeLessThan(2e-4);
  });
});
