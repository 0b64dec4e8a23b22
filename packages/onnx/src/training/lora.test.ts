import { describe, expect, it } from 'vitest';
import { loadGraph } from '../../test/run-graph.ts';
import { createGraph, input, output } from '../graph/graph.ts';
import { gemm } from '../ops/linear.ts';
import { gather } from '../ops/movement.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { flatSize, packFlat, unflatten } from './flat.ts';
import { initialLora, isTarget, type LoraModule, loraEmbedding, loraLayout, loraLinear } from './lora.ts';

const modules: readonly LoraModule[] = [
  { name: 'model.embed_tokens', kind: 'embedding', in: 11, out: 6 },
  { name: 'model.layers.0.self_attn.q_proj', kind: 'linear', in: 6, out: 8 },
  { name: 'model.layers.0.mlp.up_proj', kind: 'linear', in: 6, out: 10 },
  { name: 'model.layers.1.self_attn.q_proj', kind: 'linear', in: 6, out: 8 },
  { name: 'lm_head', kind: 'linear', in: 6, out: 11 },
];
const options = { rank: 4, alpha: 8, targets: ['embed_tokens', 'q_proj', 'lm_head'] };

describe('isTarget', () => {
  it.each([
    ['lm_head', 'lm_head', true],
    ['model.layers.0.self_attn.q_proj', 'q_proj', true],
    ['model.layers.0.self_attn.q_proj', 'self_attn.q_proj', true],
    ['model.layers.0.self_attn.q_proj', 'model.layers.0.self_attn.q_proj', true],
    ['model.layers.10.self_attn.q_proj', 'layers.0.self_attn.q_proj', false],
    ['model.layers.0.self_attn.q_proj', 'proj', false],
    ['model.layers.0.self_attn.q_proj', 'layers.0', false],
    ['model.layers.0.self_attn.q_proj', '', false],
  ])('%s by %s: %s', (name, target, expected) => {
    expect(isTarget(name, [target])).toBe(expected);
  });
});

describe('loraLayout', () => {
  it('is A [r, in] and B [out, r] of each target in the order of the modules, with the names of PEFT', () => {
    expect(loraLayout(modules, options)).toEqual([
      { name: 'model.embed_tokens.lora_embedding_A', shape: [4, 11] },
      { name: 'model.embed_tokens.lora_embedding_B', shape: [6, 4] },
      { name: 'model.layers.0.self_attn.q_proj.lora_A.weight', shape: [4, 6] },
      { name: 'model.layers.0.self_attn.q_proj.lora_B.weight', shape: [8, 4] },
      { name: 'model.layers.1.self_attn.q_proj.lora_A.weight', shape: [4, 6] },
      { name: 'model.layers.1.self_attn.q_proj.lora_B.weight', shape: [8, 4] },
      { name: 'lm_head.lora_A.weight', shape: [4, 6] },
      { name: 'lm_head.lora_B.weight', shape: [11, 4] },
    ]);
  });

  it('refuses targets that no module matches, naming each', () => {
    expect(() =>
      loraLayout(modules, { ...options, targets: ['q_proj', 'wq', 'proj'] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[GvuError: GVU_LORA_TARGET: No module is called 'wq', 'proj'. Modules end in: embed_tokens, q_proj, up_proj, lm_head.]`,
    );
    expect(() => loraLayout(modules, { ...options, targets: [] })).toThrowError(/GVU_LORA_TARGET.*empty/);
  });

  it.each([
    [{ rank: 0 }, /rank 0/],
    [{ rank: 2.5 }, /rank 2.5/],
    [{ alpha: 0 }, /alpha 0/],
    [{ alpha: Number.NaN }, /alpha NaN/],
    [{ rank: -1, alpha: Number.POSITIVE_INFINITY }, /rank -1.*alpha Infinity/],
  ])('refuses %o', (change, problem) => {
    expect(() => loraLayout(modules, { ...options, ...change })).toThrowError(problem);
  });
});

describe('initialLora', () => {
  const wide: readonly LoraModule[] = [
    { name: 'a.proj', kind: 'linear', in: 400, out: 7 },
    { name: 'table', kind: 'embedding', in: 9, out: 500 },
  ];
  const large = { rank: 32, alpha: 1, targets: ['proj', 'table'] };

  it('draws as PEFT does: A of a linear layer uniform within 1 / sqrt(in), B of an embedding standard normal', () => {
    const values = initialLora(wide, large, 7);
    expect([...values].map(([name, { shape }]) => ({ name, shape }))).toEqual(loraLayout(wide, large));
    const a = values.get('a.proj.lora_A.weight')?.data ?? new Float32Array();
    const bound = 1 / Math.sqrt(400);
    expect(Math.max(...a)).toBeLessThan(bound);
    expect(Math.max(...a)).toBeGreaterThan(0.99 * bound);
    expect(Math.min(...a)).toBeLessThan(-0.99 * bound);
    // Of 12,800 uniform values: mean within 4 standard errors of 0, variance within 5 % of bound² / 3.
    expect(Math.abs(mean(a))).toBeLessThan((4 * bound) / Math.sqrt(3 * a.length));
    expect(mean(a.map((value) => value * value)) / (bound ** 2 / 3)).toBeCloseTo(1, 1);
    const b = values.get('table.lora_embedding_B')?.data ?? new Float32Array();
    expect(Math.abs(mean(b))).toBeLessThan(4 / Math.sqrt(b.length));
    expect(mean(b.map((value) => value * value))).toBeCloseTo(1, 1);
    for (const name of ['a.proj.lora_B.weight', 'table.lora_embedding_A'])
      expect(values.get(name)?.data.every((value) => value === 0)).toBe(true);
  });

  it('gives a module the same values whichever others are adapted, and others for another seed or module', () => {
    const all = initialLora(modules, options, 7);
    const one = initialLora(modules, { ...options, targets: ['layers.1.self_attn.q_proj'] }, 7);
    const name = 'model.layers.1.self_attn.q_proj.lora_A.weight';
    expect(one.get(name)).toEqual(all.get(name));
    expect(all.get('model.layers.0.self_attn.q_proj.lora_A.weight')).not.toEqual(all.get(name));
    expect(initialLora(modules, options, 8).get(name)).not.toEqual(all.get(name));
  });
});

describe('loraLinear and loraEmbedding', () => {
  /** y = W x with an adapter, and a looked-up row with another: both fed as one flat vector. */
  async function load() {
    const graph = createGraph();
    const [linear, table] = [modules[1], modules[0]];
    if (!linear || !table) throw new Error('the modules are above');
    const layout = loraLayout(modules, { ...options, targets: [linear.name, table.name] });
    const tensors = unflatten(input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] }), layout);
    const part = (name: string) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`no ${name}`);
      return tensor;
    };
    const x = input(graph, 'x', { dtype: 'float32', shape: [3, 6] });
    const w = input(graph, 'w', { dtype: 'float32', shape: [8, 6] });
    const rows = input(graph, 'rows', { dtype: 'float32', shape: [11, 6] });
    const ids = input(graph, 'ids', { dtype: 'int64', shape: [2, 2] });
    const [y, row] = [gemm(x, w, { transB: true }), gather(rows, ids)];
    const scale = options.alpha / options.rank;
    const of = (name: string, a: string, b: string) => ({ a: part(`${name}.${a}`), b: part(`${name}.${b}`), scale });
    output('base y', y);
    output('base row', row);
    output('y', loraLinear(x, y, of(linear.name, 'lora_A.weight', 'lora_B.weight')));
    output('row', loraEmbedding(ids, row, of(table.name, 'lora_embedding_A', 'lora_embedding_B')));
    const program = await loadGraph(graph);
    const feeds = {
      x: grid([3, 6], 1),
      w: grid([8, 6], 2),
      rows: grid([11, 6], 3),
      ids: tensorData('int64', [2, 2], [0, 10, 3, 3]),
    };
    return {
      layout,
      feeds,
      run: (adapter: TensorData) => program.run({ ...feeds, adapter }),
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    };
  }

  const grid = (shape: readonly number[], salt: number) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tensorData(
      'float32',
      shape,
      Array.from({ length: size }, (_, i) => Math.sin(salt + 1.7 * i)),
    );
  };

  it('add (alpha / r) B A x, and (alpha / r) times the rows of (B A)ᵀ', async () => {
    await using program = await load();
    const values = new Map(program.layout.map(({ name, shape }, i) => [name, grid(shape, 10 + i)]));
    const found = await program.run(packFlat(program.layout, 'float32', values));
    const [ea, eb, a, b] = [...values.values()].map(toNumbers);
    const at = (list: readonly number[] | undefined, i: number) => list?.[i] ?? Number.NaN;
    const [x, w, rows] = [program.feeds.x, program.feeds.w, program.feeds.rows].map(toNumbers);
    const over = (count: number, term: (k: number) => number) =>
      [...Array(count).keys()].reduce((sum, k) => sum + term(k), 0);
    const y = Array.from({ length: 24 }, (_, i) => {
      const [n, o] = [Math.floor(i / 8), i % 8];
      const down = (r: number) => over(6, (k) => at(x, 6 * n + k) * at(a, 6 * r + k));
      return over(6, (k) => at(x, 6 * n + k) * at(w, 6 * o + k)) + 2 * over(4, (r) => down(r) * at(b, 4 * o + r));
    });
    const row = [0, 10, 3, 3].flatMap((id) =>
      Array.from(
        { length: 6 },
        (_, d) => at(rows, 6 * id + d) + 2 * over(4, (r) => at(ea, 11 * r + id) * at(eb, 4 * d + r)),
      ),
    );
    for (const [name, expected] of Object.entries({ y, row })) {
      const values = toNumbers(found[name] ?? tensorData('float32', [0], []));
      expect(values.length).toBe(expected.length);
      for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
    }
  });

  it('are the base bit for bit while the adapter is zeros or fresh, and change with it in the same session', async () => {
    await using program = await load();
    const zeros = {
      dtype: 'float32',
      shape: [flatSize(program.layout)],
      data: new Float32Array(flatSize(program.layout)),
    } as const;
    const targets = ['layers.0.self_attn.q_proj', 'embed_tokens'];
    const fresh = packFlat(program.layout, 'float32', initialLora(modules, { ...options, targets }, 1));
    for (const adapter of [zeros, fresh, zeros]) {
      const off = await program.run(adapter);
      expect(off.y).toEqual(off['base y']);
      expect(off.row).toEqual(off['base row']);
    }
    const on = await program.run({ ...zeros, data: zeros.data.map((_, i) => Math.cos(i)) });
    expect(on.y).not.toEqual(on['base y']);
    expect(on.row).not.toEqual(on['base row']);
  });
});

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
