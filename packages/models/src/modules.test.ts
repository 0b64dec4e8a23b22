/** What the modules compute, with adapters: against the same modules with the adapter merged into their weights. */
import {
  compile,
  createGraph,
  input,
  output,
  Runtime,
  type Tensor,
  type TensorData,
  tensorData,
  toNumbers,
  weight,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModules, type Modules } from './modules.ts';

const SCALE = 1.5;
const values = (shape: readonly number[], salt: number): TensorData => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensorData(
    'float32',
    shape,
    Array.from({ length: size }, (_, i) => Math.sin(salt + 1.3 * i + 0.1 * i * i)),
  );
};
const base: Readonly<Record<string, TensorData>> = {
  'table.weight': values([7, 4], 1),
  'up.weight': values([6, 4], 2),
  'up.bias': values([6], 3),
  'side.weight': values([6, 4], 4),
  'side.bias': values([6], 5),
  'down.weight': values([4, 6], 6),
  'down.bias': values([4], 7),
};
const adapter: Readonly<Record<string, TensorData>> = {
  'table.lora_embedding_A': values([2, 7], 8),
  'table.lora_embedding_B': values([4, 2], 9),
  'up.lora_A.weight': values([2, 4], 10),
  'up.lora_B.weight': values([6, 2], 11),
  'down.lora_A.weight': values([2, 6], 12),
  'down.lora_B.weight': values([4, 2], 13),
};

/** W + scale B A of a linear layer; of a table, plus scale (B A) transposed. */
function merged(): Readonly<Record<string, TensorData>> {
  const add = (name: string, a: string, b: string, transposed = false) => {
    const [w, down, up] = [base[`${name}.weight`], adapter[`${name}.${a}`], adapter[`${name}.${b}`]];
    if (!w || !down || !up) throw new Error(`no ${name}`);
    const [rows = 0, columns = 0] = w.shape;
    const [A, B] = [toNumbers(down), toNumbers(up)];
    const product = (out: number, from: number) =>
      [0, 1].reduce((sum, r) => sum + (B[2 * out + r] ?? 0) * (A[r * (down.shape[1] ?? 0) + from] ?? 0), 0);
    const sum = toNumbers(w).map((value, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      return value + SCALE * (transposed ? product(column, row) : product(row, column));
    });
    return [`${name}.weight`, tensorData('float32', [rows, columns], sum)] as const;
  };
  return {
    ...base,
    ...Object.fromEntries([
      add('table', 'lora_embedding_A', 'lora_embedding_B', true),
      add('up', 'lora_A.weight', 'lora_B.weight'),
      add('down', 'lora_A.weight', 'lora_B.weight'),
    ]),
  };
}

/** A table, two layers of one input, and a layer with bias and addend. */
function network(modules: Modules, ids: Tensor): Tensor {
  const rows = modules.embedding('table', ids, { rows: 7, width: 4 });
  const parts = [
    { name: 'up', out: 6 },
    { name: 'side', out: 6 },
  ];
  const [up = rows, side = rows] = modules.linears(parts, rows, { bias: true });
  const first = modules.linear('down', up, { out: 4, bias: true, addend: rows });
  return modules.linear('down', side, { out: 4, bias: true, addend: first });
}

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

async function run(
  weights: Readonly<Record<string, TensorData>>,
  { adapt, joined }: { adapt?: Readonly<Record<string, TensorData>>; joined?: boolean } = {},
): Promise<readonly number[]> {
  const graph = createGraph();
  const asked: string[] = [];
  const source = (name: string, shape: readonly number[]) => {
    asked.push(name);
    const tensor = weights[name];
    if (!tensor) throw new Error(`no weight ${name}`);
    expect(tensor.shape).toEqual(shape);
    return weight(graph, name, tensor);
  };
  const tensors =
    adapt &&
    Object.entries(adapt).map(([name, { dtype, shape }]) => [name, input(graph, name, { dtype, shape })] as const);
  const modules = createModules(graph, source, tensors && { tensors: new Map(tensors), scale: SCALE }, {
    joined: joined ?? false,
  });
  output('y', network(modules, input(graph, 'ids', { dtype: 'int64', shape: [5] })));
  // Each once, although `down` is used twice.
  expect(asked).toHaveLength(Object.keys(base).length);
  expect(new Set(asked)).toEqual(new Set(Object.keys(base)));
  await using session = await runtime.load(compile(graph));
  const { y } = await session.run({ ids: tensorData('int64', [5], [0, 6, 3, 3, 1]), ...adapt });
  return y ? toNumbers(y) : [];
}

describe('createModules', () => {
  it('adds adapters as if they were merged into the weights', async () => {
    const [adapted, expected] = [await run(base, { adapt: adapter }), await run(merged())];
    expect(adapted).toHaveLength(20);
    expect(adapted).toEqual(expected.map((value) => expect.closeTo(value, 3)));
    expect(adapted).not.toEqual((await run(base)).map((value) => expect.closeTo(value, 1)));
  });

  it('is the base, bit for bit, with an adapter of zeros', async () => {
    const off = Object.fromEntries(
      Object.entries(adapter).map(([name, { shape }]) => [
        name,
        tensorData('float32', shape, Array(shape.reduce((a, b) => a * b, 1)).fill(0)),
      ]),
    );
    expect(await run(base, { adapt: off })).toEqual(await run(base));
  });

  it('gives the same when the products of one input are joined', async () => {
    expect(await run(base, { joined: true })).toEqual((await run(base)).map((value) => expect.closeTo(value, 5)));
  });
});
