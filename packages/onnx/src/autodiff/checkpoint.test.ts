import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { runGraph } from '../../test/run-graph.ts';
import { compile } from '../codec/encode.ts';
import { createGraph, type Graph, input, output, type Target, type Tensor, weight } from '../graph/graph.ts';
import { add, cast, exp, greater, mul, stopGradient, straightThrough, tanh, where } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { gemm, softmax, sum } from '../ops/linear.ts';
import { gather, split } from '../ops/movement.ts';
import { rmsNorm } from '../ops/norms.ts';
import { type TensorData, tensorData } from '../tensor-data.ts';
import { checkpoint } from './checkpoint.ts';
import { gradients } from './grad.ts';

type Segment = <T>(graph: Graph, build: () => T) => T;
const plain: Segment = (_graph, build) => build();

const feeds: Readonly<Record<string, TensorData>> = {
  x: tensorData('float32', [3, 4], [0.3, -1, 2, 0.5, -0.2, 0.7, 1, -3, 0.1, 0.9, -0.4, 0.6]),
  w: tensorData(
    'float32',
    [4, 4],
    Array.from({ length: 16 }, (_, i) => Math.sin(7 * i)),
  ),
  ids: tensorData('int64', [3], [2, 0, 2]),
  mask: tensorData('bool', [3, 1], [1, 0, 1]),
  seed: tensorData(
    'float32',
    [3, 4],
    Array.from({ length: 12 }, (_, i) => Math.cos(i)),
  ),
};

/** Two layers with everything that a segment may meet: kernels of several outputs, integers, masks, weights, overridden gradients. */
function network(segment: Segment, target: Target): Graph {
  const graph = createGraph({ target });
  const declare = (name: string) => {
    const { dtype, shape } = feeds[name] ?? { dtype: 'float32', shape: [] };
    return input(graph, name, { dtype, shape });
  };
  const [x, w, ids, mask, seed] = [declare('x'), declare('w'), declare('ids'), declare('mask'), declare('seed')];
  const scale = weight(graph, 'scale', tensorData('float32', [4], [1, 0.5, 2, -1]));
  const layer = (h: Tensor): readonly [Tensor, Tensor] => {
    const normal = gather(rmsNorm(h, scale, 1e-5), ids, 0);
    const mixed = where(mask, gemm(normal, w, { addend: h }), stopGradient(tanh(h)));
    const hard = cast(greater(mixed, 0), 'float32');
    const [left, right = left] = split(softmax(mixed), 1, [2, 2]);
    return [add(exp(mul(mixed, 0.1)), mul(straightThrough(hard, mixed), mul(sum(left), sum(right)))), mixed];
  };
  const [first, inner] = segment(graph, () => layer(x));
  const [second] = segment(graph, () => layer(first));
  // The segment's values are also used later, and outside.
  const y = add(mul(second, first), inner);
  for (const [i, gradient] of gradients(y, [x, w, inner, scale], { seed }).entries()) output(`gradient_${i}`, gradient);
  return graph;
}

test.each(['reference', 'cpu', 'cuda'] as const)('gradients are bit-equal to the plain ones on %s', async (target) => {
  const expected = await runGraph(network(plain, target), feeds);
  expect(await runGraph(network(checkpoint, target), feeds)).toEqual(expected);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0])(
  'the first incoming gradient may be %s: nothing else is touched by it',
  async (value) => {
    const seed = tensorData(
      'float32',
      [3, 4],
      Array.from({ length: 12 }, (_, i) => (i === 0 ? value : i)),
    );
    const expected = await runGraph(network(plain, 'cpu'), { ...feeds, seed });
    expect(await runGraph(network(checkpoint, 'cpu'), { ...feeds, seed })).toEqual(expected);
  },
);

test('a segment of float64, bool and integer tensors alone', async () => {
  const build = (segment: Segment) => {
    const graph = createGraph({ target: 'reference' });
    const x = input(graph, 'x', { dtype: 'float64', shape: [2] });
    const [ids, mask] = [
      input(graph, 'ids', { dtype: 'int32', shape: [1] }),
      input(graph, 'mask', { dtype: 'bool', shape: [1] }),
    ];
    const y = segment(graph, () => {
      const factor = mul(cast(ids, 'float64'), cast(mask, 'float64'));
      return exp(mul(exp(x), factor));
    });
    const [dx] = gradients(sum(y), [x]);
    if (dx) output('dx', dx);
    return graph;
  };
  const given = {
    x: tensorData('float64', [2], [0.5, -1]),
    ids: tensorData('int32', [1], [2]),
    mask: tensorData('bool', [1], [1]),
  };
  expect(await runGraph(build(checkpoint), given)).toEqual(await runGraph(build(plain), given));
});

test('a checkpointed gradient is differentiable again', async () => {
  const build = (segment: Segment) => {
    const graph = createGraph({ target: 'reference' });
    const x = input(graph, 'x', { dtype: 'float64', shape: [] });
    const [dx = x] = gradients(
      segment(graph, () => exp(mul(x, exp(x)))),
      [x],
    );
    const [ddx] = gradients(dx, [x]);
    if (ddx) output('ddx', ddx);
    return graph;
  };
  const x = tensorData('float64', [], [0.3]);
  expect(await runGraph(build(checkpoint), { x })).toEqual(await runGraph(build(plain), { x }));
});

test('the optimisers of ONNX Runtime leave the second computation alone', async () => {
  const count = async (segment: Segment) => {
    const graph = createGraph();
    const x = input(graph, 'x', { dtype: 'float32', shape: [4, 4] });
    const y = segment(graph, () => exp(tanh(exp(x))));
    const [dx] = gradients(sum(y), [x]);
    if (dx) output('dx', dx);
    output('y', y);
    const operators = await optimised(graph);
    return operators.filter((op) => op === 'Exp' || op === 'Tanh').length;
  };
  expect(await count(plain)).toBe(3);
  expect(await count(checkpoint)).toBe(6);
});

describe('a segment that cannot be computed again is refused', () => {
  const setUp = () => {
    const graph = createGraph();
    return { graph, x: input(graph, 'x', { dtype: 'float32', shape: [3] }) };
  };
  const refused = expect.objectContaining({ code: 'GVU_AUTODIFF_SEGMENT' });

  test('inside another; the outer one ends all the same', () => {
    const { graph, x } = setUp();
    expect(() => checkpoint(graph, () => checkpoint(graph, () => exp(x)))).toThrow(refused);
    expect(checkpoint(graph, () => exp(x)).shape).toEqual([3]);
  });

  test('with a loop or a branch in it', () => {
    const { graph, x } = setUp();
    const looped = checkpoint(graph, () => {
      loop(graph, { trips: 1, carried: [] }, (iteration) => ({ carried: [], kept: [iteration] }));
      return exp(x);
    });
    expect(() => gradients(sum(looped), [x])).toThrow(refused);
    const branched = checkpoint(graph, () => {
      branch(
        greater(sum(x), 0),
        () => [sum(x)],
        () => [sum(x)],
      );
      return exp(x);
    });
    expect(() => gradients(sum(branched), [x])).toThrow(refused);
  });
});

/** The operators that are left when ONNX Runtime has optimised the graph. */
async function optimised(graph: Graph): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gvu-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimised.onnx');
    const session = await ort.InferenceSession.create(compile(graph).model, {
      optimizedModelFilePath,
      logSeverityLevel: 4,
    });
    await session.release();
    const model = fromBinary(ModelProtoSchema, await readFile(optimizedModelFilePath));
    return model.graph?.node.map(({ opType }) => opType) ?? [];
  } finally {
    await rm(folder, { recursive: true });
  }
}
