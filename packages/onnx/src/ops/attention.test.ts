import { fillNormal, randomStream } from '@gvu/core';
import { afterAll, describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { expectTwins, type TwinInput } from '../../test/twins.ts';
import { checkGradients } from '../autodiff/check.ts';
import { gradients } from '../autodiff/grad.ts';
import { type FloatDType, isFloat } from '../dtype.ts';
import { constant, createGraph, type Graph, input, output, type Tensor } from '../graph/graph.ts';
import { Runtime } from '../runtime/runtime.ts';
import { sizeOf, type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { add, cast } from './arithmetic.ts';
import { attention, cachedAttention, causalMask, paddingMask } from './attention.ts';
import { concat, slice } from './movement.ts';

const runtime = await Runtime.create({ threads: 1 });
afterAll(() => runtime.dispose());

const real = tensorData('bool', [2, 5], [1, 1, 0, 1, 1, 1, 1, 1, 1, 0]);

interface Case {
  /** Of q, k and v, then what the mask is made of. */
  readonly inputs: readonly TwinInput[];
  readonly mask?: (q: Tensor, more?: Tensor) => Tensor;
  readonly scale?: number;
}

const square = (heads: number, kvHeads = heads): readonly (readonly number[])[] => [
  [2, heads, 5, 4],
  [2, kvHeads, 5, 4],
  [2, kvHeads, 5, 4],
];
const causal = (q: Tensor) => causalMask(q.block.graph, q.dtype, 5);
const cases: Record<string, Case> = {
  'no mask': { inputs: square(2) },
  'another scale, length and depth of values': {
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 7, 4],
      [1, 2, 7, 5],
    ],
    scale: 0.3,
  },
  causal: { inputs: square(2), mask: causal },
  'causal, grouped heads': { inputs: square(4, 2), mask: causal },
  'causal, one key head': { inputs: square(4, 1), mask: causal },
  'causal, queries are the last positions': {
    inputs: [
      [2, 2, 2, 4],
      [2, 1, 5, 4],
      [2, 1, 5, 4],
    ],
    mask: (q) => causalMask(q.block.graph, q.dtype, 2, { past: 3 }),
  },
  padding: { inputs: [...square(2), real], mask: (q, keys = q) => paddingMask(keys, q.dtype) },
  'causal with padding': {
    inputs: [...square(4, 2), real],
    mask: (q, keys = q) => add(causal(q), paddingMask(keys, q.dtype)),
  },
  'a mask of bools for all heads': {
    inputs: [
      ...square(4, 2),
      tensorData(
        'bool',
        [5, 5],
        Array.from({ length: 25 }, (_, i) => i % 3 !== 1),
      ),
    ],
    mask: (q, mask = q) => mask,
  },
  'a bias of its own for every head': { inputs: [...square(4, 2), [2, 4, 5, 5]], mask: (q, bias = q) => bias },
};

function build({ mask, scale }: Case) {
  return (q: Tensor, k: Tensor, v: Tensor, more?: Tensor) =>
    attention(q, k, v, { mask: mask?.(q, more), ...(scale === undefined ? {} : { scale }) });
}

describe.each(Object.entries(cases))('attention: %s', (_, one) => {
  const seen = build(one);

  test('has the gradients that differences give', async () => {
    const inputs = one.inputs.map((given) => ('data' in given ? given : { shape: given }));
    await checkGradients(seen, inputs, { runtime, elements: 40 });
  });

  test('is the same on every target, and without a gradient', async () => {
    await expectTwins(seen, one.inputs);
    const scoring = (q: Tensor, k: Tensor, v: Tensor, more?: Tensor) =>
      cachedAttention(q, { k, v }, { mask: one.mask?.(q, more), ...(one.scale ? { scale: one.scale } : {}) }).y;
    const asIs = { differentiable: false };
    await expectTwins(scoring, one.inputs, asIs);
    const half = { targets: ['cpu', 'cuda'], dtype: 'float16', tolerance: 5e-3 } as const;
    await expectTwins(scoring, one.inputs, { ...asIs, ...half });
    await expectTwins(seen, one.inputs, half);
  });
});

describe.each(['cpu', 'cuda', 'reference'] as const)('on %s', (target) => {
  /** Left-padded: by causality the first two rows of the first sequence see padding only. */
  const leftPadded = tensorData('bool', [2, 4], [0, 0, 1, 1, 1, 1, 1, 1]);

  test('a row that may see nothing is finite, as are all gradients', async () => {
    const graph = createGraph({ target });
    const [q, k, v] = qkv(graph, 'float32', [2, 2, 4, 4], [2, 1, 4, 4]);
    const keys = input(graph, 'real', { dtype: 'bool', shape: [2, 4] });
    const mask = add(causalMask(graph, 'float32', 4), paddingMask(keys, 'float32'));
    const y = attention(q, k, v, { mask });
    output('y', y);
    output('scored', cachedAttention(q, { k, v }, { mask }).y);
    for (const [i, gradient] of gradients(y, [q, k, v], { seed: y }).entries()) output(`gradient ${i}`, gradient);
    const feeds = randomFeeds(graph);
    const found = await runGraph(graph, { ...feeds, real: leftPadded });
    for (const tensor of Object.values(found)) expect(toNumbers(tensor).every(Number.isFinite)).toBe(true);
    const [seen, scored, values] = [found.y, found.scored, feeds.v].map((tensor) => (tensor ? toNumbers(tensor) : []));
    // Row 1 of the first sequence: one mask hides each key, either that of padding or the causal one.
    for (let i = 0; i < 4; i++) {
      const mean = [0, 4, 8, 12].reduce((sum, row) => sum + (values?.[row + i] ?? 0) / 4, 0);
      expect(seen?.[4 + i]).toBeCloseTo(mean, 6);
      expect(scored?.[4 + i]).toBeCloseTo(mean, 6);
    }
  });

  test('hidden keys have no influence and no gradient', async () => {
    const graph = createGraph({ target });
    const [q, k, v] = qkv(graph, 'float32', [1, 2, 3, 4], [1, 2, 3, 4]);
    const mask = constant(graph, 'bool', [1, 3], [1, 0, 1]);
    const y = attention(q, k, v, { mask });
    output('y', y);
    output('scored', cachedAttention(q, { k, v }, { mask }).y);
    const [, forKeys = k, forValues = v] = gradients(y, [q, k, v], { seed: q });
    for (const [i, gradient] of [forKeys, forValues].entries())
      output(`hidden ${i}`, slice(gradient, 2, { start: 1, end: 2 }));
    const feeds = randomFeeds(graph);
    const found = await runGraph(graph, feeds);
    const changed = { ...feeds, k: withRow(feeds.k, 1e4), v: withRow(feeds.v, -1e4) };
    const again = await runGraph(graph, changed);
    expect(again.y?.data).toEqual(found.y?.data);
    expect(again.scored?.data).toEqual(found.scored?.data);
    for (const name of ['hidden 0', 'hidden 1'])
      expect(found[name] && toNumbers(found[name])).toEqual(Array(8).fill(0));
  });

  test.each([
    ['float32', 1e-5],
    ['float64', 1e-12],
    ['float16', 5e-3],
  ] as const)('decoding in parts equals attention over the whole sequence: %s', async (dtype, tolerance) => {
    const graph = createGraph({ target });
    const fed = dtype === 'float64' ? 'float64' : 'float32';
    const [q, k, v] = qkv(graph, fed, [2, 4, 5, 4], [2, 2, 5, 4]).map((tensor) => cast(tensor, dtype));
    if (!q || !k || !v) throw new Error('unreachable: there are three');
    const keys = input(graph, 'real', { dtype: 'bool', shape: [2, 5] });
    const mask = add(causalMask(graph, dtype, 5), paddingMask(keys, dtype)); // [B, 1, T, T]
    output('whole', cast(attention(q, k, v, { mask }), fed));
    const part = (tensor: Tensor, start: number, end: number) => slice(tensor, 2, { start, end });
    let past: { pastK?: Tensor; pastV?: Tensor } = {};
    const parts = [[0, 2] as const, [2, 3] as const, [3, 5] as const].map(([start, end]) => {
      const fresh = { k: part(k, start, end), v: part(v, start, end) };
      const visible = slice(part(mask, start, end), 3, { end });
      const step = cachedAttention(part(q, start, end), { ...fresh, ...past }, { mask: visible });
      past = { pastK: step.k, pastV: step.v };
      return step.y;
    });
    output('parts', cast(concat(parts, 2), fed));
    output('cache', cast(past.pastK ?? q, fed));
    const feeds = { ...randomFeeds(graph), real: tensorData('bool', [2, 5], [1, 0, 1, 1, 1, 1, 1, 1, 1, 1]) };
    const found = await runGraph(graph, feeds);
    const [whole = [], inParts = []] = [found.whole, found.parts].map((tensor) => tensor && toNumbers(tensor));
    expect(inParts.length).toBe(160);
    for (const [i, value] of whole.entries()) expect(Math.abs(value - (inParts[i] ?? NaN))).toBeLessThan(tolerance);
    expect(found.cache?.shape).toEqual([2, 2, 5, 4]);
  });
});

test('what does not fit is refused', () => {
  const graph = createGraph();
  const tensor = (...shape: number[]) => input(graph, `t${shape}`, { dtype: 'float32', shape });
  const [q, k] = [tensor(1, 3, 2, 4), tensor(1, 2, 2, 4)];
  expect(() => attention(q, k, k)).toThrow(/float32\[1, 3, 2, 4\] do not fit keys float32\[1, 2, 2, 4\]/);
  expect(() => cachedAttention(q, { k, v: k })).toThrow(/multiple of key heads/);
  expect(() => attention(k, k, tensor(1, 2, 3, 4))).toThrow(/do not fit/);
  expect(() => cachedAttention(k, { k, v: k }, { mask: tensor(2, 3) })).toThrow(
    /mask does not broadcast to \[1, 2, 2, 2\]/,
  );
  expect(() => attention(k, k, k, { mask: tensor(3, 2) })).toThrow(/do not broadcast/);
});

/** Inputs of a graph called q, k and v. */
function qkv(graph: Graph, dtype: FloatDType, forQueries: readonly number[], forKeys: readonly number[]) {
  return [
    input(graph, 'q', { dtype, shape: forQueries }),
    input(graph, 'k', { dtype, shape: forKeys }),
    input(graph, 'v', { dtype, shape: forKeys }),
  ] as const;
}

/** Values for the floating-point inputs of a graph. */
function randomFeeds(graph: Graph): Record<string, TensorData> {
  const stream = randomStream(3, 'attention');
  const floats = graph.main.inputs.filter(({ dtype }) => isFloat(dtype));
  return Object.fromEntries(
    floats.map(({ name, dtype, shape }, i) => {
      const data = new Float32Array(sizeOf(shape));
      fillNormal(data, stream.at(i));
      return [name, tensorData(dtype, shape, data)];
    }),
  );
}

/** The same tensor [1, H, 3, 4] with another value in row 1 of every head. */
function withRow(tensor: TensorData | undefined, value: number): TensorData {
  if (!tensor) throw new Error('no tensor');
  const values = toNumbers(tensor).map((old, i) => (Math.floor(i / 4) % 3 === 1 ? value : old));
  return tensorData(tensor.dtype, tensor.shape, values);
}
