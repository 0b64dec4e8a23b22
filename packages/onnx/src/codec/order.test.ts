import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { buildExpression, expressionInputs, expressionSteps } from '../../test/random-expressions.ts';
import { gradients } from '../autodiff/grad.ts';
import { createGraph, type Graph, input, type Node, output, scope, type Tensor } from '../graph/graph.ts';
import { exp, mul } from '../ops/arithmetic.ts';
import { loop } from '../ops/control.ts';
import { gemm, sum } from '../ops/linear.ts';
import { compile } from './encode.ts';
import { executionOrder, outputOrder } from './order.ts';

const seed = 20_261_123;
const names = (nodes: readonly Node[]) => nodes.map(({ name }) => name);

test(`every node once, after those it reads (seed ${seed})`, () => {
  fc.assert(
    fc.property(expressionSteps, (steps) => {
      const graph = createGraph();
      const inputs = expressionInputs.map(({ shape }, i) => input(graph, `x${i}`, { dtype: 'float32', shape }));
      const y = buildExpression(steps, inputs);
      gradients(y, inputs, { seed: exp(y) });
      const { nodes } = graph.main;
      const order = executionOrder(nodes);
      expect(new Set(order)).toEqual(new Set(nodes));
      expect(order).toHaveLength(nodes.length);
      const place = new Map(order.map((node, i) => [node, i]));
      for (const node of order)
        for (const { source } of node.inputs.filter((tensor) => tensor !== undefined))
          if (source.kind === 'node') expect(place.get(source.node)).toBeLessThan(place.get(node) ?? -1);
    }),
    { seed, numRuns: 100 },
  );
});

test('what the body of a loop reads from outside comes before the loop', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2] });
  const outside = exp(x);
  loop(graph, { trips: 2, carried: [] }, () => ({ carried: [], kept: [mul(outside, 2)] }));
  mul(x, 3);
  expect(names(executionOrder(graph.main.nodes))).toEqual(['Mul_1', 'Exp', 'Loop']);
});

test('of outputs, the one made first stands last', () => {
  const graph = createGraph();
  const x = input(graph, 'x', { dtype: 'float32', shape: [2] });
  const [first, second] = [exp(x), mul(x, 2)];
  output('b', second);
  output('a', first);
  output('x again', x);
  const { outputs, nodes } = graph.main;
  expect(outputOrder(outputs, nodes).map(({ name }) => name)).toEqual(['b', 'a', 'x again']);
});

test('ONNX Runtime computes a weight gradient when it can, and not at the end', async () => {
  const graph = createGraph();
  const layers = 4;
  const weights: Tensor[] = [];
  let hidden = input(graph, 'x', { dtype: 'float32', shape: [8, 16] });
  for (let layer = 0; layer < layers; layer++)
    scope(graph, `layer_${layer}`, () => {
      const w = input(graph, `w${layer}`, { dtype: 'float32', shape: [16, 16] });
      weights.push(w);
      hidden = exp(gemm(hidden, w));
    });
  const loss = sum(hidden);
  // Outputs in the order of the layers: the reverse of the order in which they can be given.
  for (const [i, gradient] of gradients(loss, weights).entries()) output(`gradient_${i}`, gradient);
  output('loss', loss);

  const executed = (await profile(graph)).filter((name) => name.startsWith('gradient/layer_'));
  // Layers from last to first, each with its two products behind the one through exp. The last has no such product, its
  // factor being 1; the first only that for its weight.
  const layerOf = executed.map((name) => Number(/layer_(\d)/.exec(name)?.[1]));
  expect(layerOf).toEqual([3, 3, 2, 2, 2, 1, 1, 1, 0, 0]);
});

/** The nodes in the order in which ONNX Runtime executed them. */
async function profile(graph: Graph): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gvu-'));
  try {
    const program = compile(graph);
    const session = await ort.InferenceSession.create(program.model, {
      enableProfiling: true,
      profileFilePrefix: join(folder, 'profile'),
      logSeverityLevel: 4,
    });
    const feeds = program.inputs.map(({ name, shape }) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      return [name, new ort.Tensor('float32', new Float32Array(size), shape)] as const;
    });
    await session.run(Object.fromEntries(feeds));
    session.endProfiling();
    await session.release();
    const [file = ''] = await readdir(folder);
    const events: { cat: string; name: string }[] = JSON.parse(await readFile(join(folder, file), 'utf8'));
    return events.flatMap(({ cat, name }) =>
      cat === 'Node' && name.endsWith('_kernel_time') ? [name.slice(0, -'_kernel_time'.length)] : [],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
