/** The loop and the guidance around a toy decoder. Real decoders are generated from in `@gvu/models`. */
import { describe, expect, it } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { constant, createGraph, type Graph, input, output, type Tensor } from '../graph/graph.ts';
import { printGraph } from '../graph/print.ts';
import { add, cast, mul } from '../ops/arithmetic.ts';
import { sum } from '../ops/linear.ts';
import { concat, gather, reshape } from '../ops/movement.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { generate } from './generate.ts';
import type { Guidance } from './guidance.ts';
import { exactSampler } from './sampler.ts';

const VOCABULARY = 5;
const table = Array.from({ length: VOCABULARY ** 2 }, (_, i) => 2 * Math.sin(3 + 7 * i));

interface Toy {
  readonly rows: number;
  readonly steps: number;
  readonly guidance?: Guidance;
}

/** The next token's logits are the table's row of the last token, tilted by the sum of all tokens so far. */
function toy(graph: Graph, { rows, steps, guidance }: Toy): void {
  const first = input(graph, 'first', { dtype: 'int64', shape: [rows, 1] });
  const weights = input(graph, 'table', { dtype: 'float32', shape: [VOCABULARY, VOCABULARY] });
  const order = constant(graph, 'float32', [VOCABULARY], [0, 1, 2, 3, 4]);
  const logits = (token: Tensor, seen: Tensor) => {
    const tilt = mul(mul(sum(seen, [1], { keepDims: true }), 0.25), order);
    return add(reshape(gather(weights, token), [rows, VOCABULARY]), tilt);
  };
  const seen = cast(first, 'float32'); // [R, 1], and a column more with every token
  const generated = generate(graph, {
    steps,
    sampler: exactSampler,
    guidance,
    uniform: input(graph, 'uniform', { dtype: 'float32', shape: [steps, guidance ? rows / 2 : rows, 1] }),
    prefill: { logits: logits(first, seen), carried: [{ initial: seen, grows: 1 }] },
    decode: (token, _iteration, [before = seen]) => {
      const all = concat([before, cast(token, 'float32')], 1);
      return { logits: logits(token, all), carried: [all] };
    },
  });
  for (const [name, result] of Object.entries(generated)) output(name, result);
}

/** The toy on the host: tokens, and log-probabilities under the policy and under what was sampled, [B, steps] each. */
function expected({ rows, steps, guidance }: Toy, first: readonly number[], uniform: readonly number[]) {
  const batch = guidance ? rows / 2 : rows;
  const logitsOf = (start: number, drawn: readonly number[]) => {
    const total = start + drawn.reduce((a, b) => a + b, 0);
    return Array.from(
      { length: VOCABULARY },
      (_, v) => (table[VOCABULARY * (drawn.at(-1) ?? start) + v] ?? 0) + 0.25 * total * v,
    );
  };
  const logSoftmax = (values: readonly number[]) => {
    const total = Math.log(values.reduce((a, b) => a + Math.exp(b), 0));
    return values.map((value) => value - total);
  };
  return Array.from({ length: batch }, (_, row) => {
    const drawn: number[] = [];
    const logProbs = { policy: [] as number[], sampler: [] as number[] };
    for (let step = 0; step < steps; step++) {
      const c = logitsOf(first[row] ?? 0, drawn);
      const u = logitsOf(first[batch + row] ?? 0, drawn);
      const guided = c.map((value, v) => {
        if (!guidance) return value;
        const { scale: w, formula } = guidance;
        const other = u[v] ?? 0;
        return formula === '(1 + w)c - wu' ? (1 + w) * value - w * other : other + w * (value - other);
      });
      const p = logSoftmax(guided).map(Math.exp);
      let below = 0;
      const token = p.findIndex((mass) => {
        below += mass;
        return below > (uniform[step * batch + row] ?? 0);
      });
      logProbs.policy.push(logSoftmax(c)[token] ?? 0);
      logProbs.sampler.push(Math.log(p[token] ?? 0));
      drawn.push(token);
    }
    return { drawn, ...logProbs };
  });
}

const noise = (count: number) => Array.from({ length: count }, (_, i) => (0.37 + i * 0.6180339887) % 1);

async function run(options: Toy, first: readonly number[]) {
  const graph = createGraph();
  toy(graph, options);
  const uniform = noise(options.steps * (options.guidance ? options.rows / 2 : options.rows));
  const shape = [options.steps, uniform.length / options.steps, 1];
  const found = await runGraph(graph, {
    first: tensorData('int64', [options.rows, 1], first),
    table: tensorData('float32', [VOCABULARY, VOCABULARY], table),
    uniform: tensorData('float32', shape, uniform),
  });
  return { found, expected: expected(options, first, uniform) };
}

function expectSame(found: Readonly<Record<string, TensorData>>, rows: ReturnType<typeof expected>): void {
  const values = (name: string) => {
    const tensor = found[name];
    if (!tensor) throw new Error(`no ${name}`);
    expect(tensor.shape).toEqual([rows.length, rows[0]?.drawn.length]);
    return toNumbers(tensor);
  };
  expect(values('tokens')).toEqual(rows.flatMap(({ drawn }) => drawn));
  const close = (list: readonly number[]) => list.map((value) => expect.closeTo(value, 4));
  expect(values('policyLogProbs')).toEqual(close(rows.flatMap(({ policy }) => policy)));
  expect(values('samplerLogProbs')).toEqual(close(rows.flatMap(({ sampler }) => sampler)));
}

describe('generate', () => {
  it.each([1, 2, 9])('draws %i token(s) a row, each from the logits after those before it', async (steps) => {
    const { found, expected: rows } = await run({ rows: 3, steps }, [0, 4, 2]);
    expectSame(found, rows);
  });

  it.each([
    { scale: 3, formula: 'u + w(c - u)' },
    { scale: 1, formula: 'u + w(c - u)' },
    { scale: 2, formula: '(1 + w)c - wu' },
    { scale: 0, formula: '(1 + w)c - wu' },
  ] satisfies Guidance[])(
    'guides by $formula with w = $scale; the policy stays the conditional row',
    async (guidance) => {
      const { found, expected: rows } = await run({ rows: 4, steps: 6, guidance }, [0, 3, 1, 1]);
      expectSame(found, rows);
    },
  );

  it('refuses what does not fit, all at once', () => {
    const graph = createGraph();
    const logits = input(graph, 'logits', { dtype: 'float16', shape: [3, VOCABULARY] });
    const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [4, 3] });
    const guidance: Guidance = { scale: Number.NaN, formula: 'u + w(c - u)' };
    const options = { steps: 0, sampler: exactSampler, guidance, uniform, prefill: { logits, carried: [] } };
    expect(() =>
      generate(graph, { ...options, decode: () => ({ logits, carried: [] }) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_SAMPLER_OPTIONS: steps 0 is not a whole number from 1; guidance needs pairs of rows, not 3 rows; the guidance scale is NaN; the logits are float16, not float32; uniform is float32[4, 3], not float32[0, 1.5, 1]. Give one uniform number for each step and sampled row.]`,
    );
  });

  it('is a prefill, a loop of one draw and one decoding, and a last draw', () => {
    const graph = createGraph({ name: 'toy' });
    toy(graph, { rows: 2, steps: 4 });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph toy (cpu, operator set 23)
        input first: int64[2, 1]
        input table: float32[5, 5]
        input uniform: float32[4, 2, 1]
        Cast: float32[2, 1] = Cast(first, to=float32)
        ReduceSum: float32[2, 1] = ReduceSum(Cast, [1], keepdims=1)
        Mul: float32[2, 1] = Mul(ReduceSum, 0.25)
        Mul_1: float32[2, 5] = Mul(Mul, [0, 1, 2, 3, 4])
        Gather: float32[2, 1, 5] = Gather(table, first, axis=0)
        Reshape: float32[2, 5] = Reshape(Gather, [2, 5])
        Add: float32[2, 5] = Add(Reshape, Mul_1)
        Loop: float32[2, 5], Loop:1: float32[2, ?], Loop:2: int64[3, 2, 1], Loop:3: float32[3, 2, 1], Loop:4: float32[3, 2, 1] = Loop(3, 1, Add, Cast)
          body:
            input generate/iteration: int64[]
            input generate/condition: bool[]
            input generate/carried_0: float32[2, 5]
            input generate/carried_1: float32[2, ?]
            Gather_1: float32[2, 1] = Gather(uniform, generate/iteration, axis=0)
            Softmax: float32[2, 5] = Softmax(generate/carried_0, axis=1)
            CumSum: float32[2, 5] = CumSum(Softmax, 1, exclusive=0, reverse=0)
            Slice: float32[2, 1] = Slice(CumSum, [4], [5], [1], [1])
            Mul_2: float32[2, 1] = Mul(Gather_1, Slice)
            LessOrEqual: bool[2, 5] = LessOrEqual(CumSum, Mul_2)
            Cast_1: float32[2, 5] = Cast(LessOrEqual, to=float32)
            ReduceSum_1: float32[2, 1] = ReduceSum(Cast_1, [1], keepdims=1)
            Cast_2: int64[2, 1] = Cast(ReduceSum_1, to=int64)
            LogSoftmax: float32[2, 5] = LogSoftmax(generate/carried_0, axis=1)
            GatherElements: float32[2, 1] = GatherElements(LogSoftmax, Cast_2, axis=1)
            LogSoftmax_1: float32[2, 5] = LogSoftmax(generate/carried_0, axis=1)
            GatherElements_1: float32[2, 1] = GatherElements(LogSoftmax_1, Cast_2, axis=1)
            Cast_3: float32[2, 1] = Cast(Cast_2, to=float32)
            Concat: float32[2, ?] = Concat(generate/carried_1, Cast_3, axis=1)
            ReduceSum_2: float32[2, 1] = ReduceSum(Concat, [1], keepdims=1)
            Mul_3: float32[2, 1] = Mul(ReduceSum_2, 0.25)
            Mul_4: float32[2, 5] = Mul(Mul_3, [0, 1, 2, 3, 4])
            Gather_2: float32[2, 1, 5] = Gather(table, Cast_2, axis=0)
            Reshape_1: float32[2, 5] = Reshape(Gather_2, [2, 5])
            Add_1: float32[2, 5] = Add(Reshape_1, Mul_4)
            Identity: bool[] = Identity(generate/condition)
            output condition: Identity
            output carried_0: Add_1
            output carried_1: Concat
            output kept_0: Cast_2
            output kept_1: GatherElements_1
            output kept_2: GatherElements
        Slice_1: float32[1, 2, 1] = Slice(uniform, [3], [4], [0], [1])
        Reshape_2: float32[2, 1] = Reshape(Slice_1, [2, 1])
        Softmax_1: float32[2, 5] = Softmax(Loop, axis=1)
        CumSum_1: float32[2, 5] = CumSum(Softmax_1, 1, exclusive=0, reverse=0)
        Slice_2: float32[2, 1] = Slice(CumSum_1, [4], [5], [1], [1])
        Mul_5: float32[2, 1] = Mul(Reshape_2, Slice_2)
        LessOrEqual_1: bool[2, 5] = LessOrEqual(CumSum_1, Mul_5)
        Cast_4: float32[2, 5] = Cast(LessOrEqual_1, to=float32)
        ReduceSum_3: float32[2, 1] = ReduceSum(Cast_4, [1], keepdims=1)
        Cast_5: int64[2, 1] = Cast(ReduceSum_3, to=int64)
        LogSoftmax_2: float32[2, 5] = LogSoftmax(Loop, axis=1)
        GatherElements_2: float32[2, 1] = GatherElements(LogSoftmax_2, Cast_5, axis=1)
        LogSoftmax_3: float32[2, 5] = LogSoftmax(Loop, axis=1)
        GatherElements_3: float32[2, 1] = GatherElements(LogSoftmax_3, Cast_5, axis=1)
        Reshape_3: int64[1, 2, 1] = Reshape(Cast_5, [1, 2, 1])
        Concat_1: int64[4, 2, 1] = Concat(Loop:2, Reshape_3, axis=0)
        Reshape_4: int64[4, 2] = Reshape(Concat_1, [4, 2])
        Transpose: int64[2, 4] = Transpose(Reshape_4, perm=[1, 0])
        Reshape_5: float32[1, 2, 1] = Reshape(GatherElements_3, [1, 2, 1])
        Concat_2: float32[4, 2, 1] = Concat(Loop:3, Reshape_5, axis=0)
        Reshape_6: float32[4, 2] = Reshape(Concat_2, [4, 2])
        Transpose_1: float32[2, 4] = Transpose(Reshape_6, perm=[1, 0])
        Reshape_7: float32[1, 2, 1] = Reshape(GatherElements_2, [1, 2, 1])
        Concat_3: float32[4, 2, 1] = Concat(Loop:4, Reshape_7, axis=0)
        Reshape_8: float32[4, 2] = Reshape(Concat_3, [4, 2])
        Transpose_2: float32[2, 4] = Transpose(Reshape_8, perm=[1, 0])
        output tokens: Transpose
        output policyLogProbs: Transpose_1
        output samplerLogProbs: Transpose_2"
    `);
  });
});
