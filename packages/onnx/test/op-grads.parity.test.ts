/**
 * Forward values and gradients of every case in `op-grads` against PyTorch autograd in float64: on `reference` in float64, and on the
 * lowerings for `cpu` and `cuda` in float32, both on the CPU execution provider.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gradients } from '../src/autodiff/grad.ts';
import { compile } from '../src/codec/encode.ts';
import { createGraph, input, output, type Tensor } from '../src/graph/graph.ts';
import { openSafetensors, readTensors } from '../src/safetensors/reader.ts';
import { tensorData, toNumbers } from '../src/tensor-data.ts';
import { fixture } from './fixtures.ts';
import { type Attributes, operators, type Step } from './op-grads-operators.ts';
import { sharedRuntime, useSharedRuntime } from './shared-runtime.ts';

interface Case {
  readonly id: string;
  readonly op: string;
  readonly attrs: Attributes;
  readonly inputs: readonly {
    readonly key: string;
    readonly shape: readonly number[];
    readonly dtype: 'f32' | 'i32';
  }[];
  readonly output: string;
  readonly cotangent: string;
  /** `in0` and so on -> the key of the gradient. */
  readonly grads: Readonly<Record<string, string>>;
  readonly program?: readonly Step[];
  readonly note?: string;
}

useSharedRuntime();

const directory = fixture('op-grads');
const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(join(directory, 'cases.json'), 'utf8'));
const { tensors } = await openSafetensors(join(directory, 'expected.safetensors'));
const stored = await readTensors(tensors.values());

/** Ops that sum many products, or divide by such a sum: float32 errors grow with the length of the sums. */
const sums = /^(matmul|linear|einsum|conv|sdpa|.*norm|program)/;

/** The largest difference allowed, as the README of the fixture has it. */
function tolerance(op: string, dtype: 'float32' | 'float64', largest: number): number {
  if (dtype === 'float64') return 1e-9 * Math.max(1, largest);
  return sums.test(op) ? 1e-4 * largest + 1e-7 : 1e-5 + 1e-5 * largest;
}

const lowerings = [
  { target: 'reference', dtype: 'float64' },
  { target: 'reference', dtype: 'float32' },
  { target: 'cpu', dtype: 'float32' },
  { target: 'cuda', dtype: 'float32' },
] as const;

describe.each(lowerings)('$target in $dtype', ({ target, dtype }) => {
  test.each(cases)('$id $op', async (row) => {
    const graph = createGraph({ name: `${row.id} ${row.op}`, target });
    const values = new Map<string, Tensor>(
      row.inputs.map(({ shape, dtype: kind }, i) => [
        `in${i}`,
        input(graph, `in${i}`, { dtype: kind === 'f32' ? dtype : 'int32', shape }),
      ]),
    );
    const steps = row.program ?? [{ op: row.op, in: [...values.keys()], out: 'result', attrs: row.attrs }];
    for (const step of steps) {
      const build = operators[step.op];
      if (!build) throw new Error(`No function for ${step.op}.`);
      values.set(step.out, build(step.attrs ?? row.attrs, ...step.in.map((name) => known(values, name))));
    }
    const result = known(values, steps.at(-1)?.out ?? '');
    const expected = known(stored, `${row.output}.f64`);
    expect(result.shape).toEqual(expected.shape);
    output('out', result);
    const wrt = Object.keys(row.grads);
    const seed = input(graph, 'cotangent', { dtype, shape: result.shape });
    const found = gradients(
      result,
      wrt.map((name) => known(values, name)),
      { seed },
    );
    for (const [i, gradient] of found.entries()) output(`gradient of ${wrt[i]}`, gradient);

    const numbers = (key: string) => toNumbers(known(stored, key));
    const feeds = row.inputs.map(({ key, shape, dtype: kind }, i) => [
      `in${i}`,
      tensorData(kind === 'f32' ? dtype : 'int32', shape, numbers(key)),
    ]);
    const program = compile(graph);
    // An input that neither the result nor a gradient depends on is none of the program.
    const taken = new Set(program.inputs.map(({ name }) => name));
    await using session = await sharedRuntime().load(program);
    const outputs = await session.run(
      Object.fromEntries(
        [...feeds, ['cotangent', tensorData(dtype, result.shape, numbers(row.cotangent))]].filter(([name]) =>
          taken.has(String(name)),
        ),
      ),
    );
    for (const [name, key] of [['out', row.output], ...wrt.map((of) => [`gradient of ${of}`, row.grads[of] ?? ''])]) {
      const wanted = numbers(`${key}.f64`);
      const got = toNumbers(known(new Map(Object.entries(outputs)), name ?? ''));
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const distance = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - (got[i] ?? Number.NaN))), 0);
      expect(got, name).toHaveLength(wanted.length);
      expect(distance, name).toBeLessThanOrEqual(tolerance(row.op, dtype, largest));
    }
  });
});

function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`No '${key}' among ${[...map.keys()].slice(0, 10).join(', ')}.`);
  return value;
}
