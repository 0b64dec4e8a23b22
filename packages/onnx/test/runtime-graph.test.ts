/** The contract between the graph builder and the runtime: what `compile` says of a program is what its model needs. */
import { expect, test } from 'vitest';
import {
  compile,
  createGraph,
  gradients,
  input,
  mul,
  output,
  Runtime,
  sub,
  sum,
  tensorData,
  toNumbers,
} from '../src/index.ts';

test('a compiled graph descends in variables that never leave the worker', async () => {
  const graph = createGraph();
  const w = input(graph, 'layers.0/w', { dtype: 'float32', shape: [3] });
  const rate = input(graph, 'rate', { dtype: 'float32', shape: [] });
  input(graph, 'unused', { dtype: 'int64', shape: [1] });
  const loss = sum(mul(w, w), [0]);
  const [gradient] = gradients(loss, [w]);
  if (gradient === undefined) throw new Error('no gradient');
  output('loss', loss);
  output('next', sub(w, mul(gradient, rate)));

  await using runtime = await Runtime.create();
  await using session = await runtime.load(compile(graph), { use: 'training' });
  await using variables = await runtime.variables({ 'layers.0/w': tensorData('float32', [3], [4, -8, 16]) });
  const feeds = { rate: tensorData('float32', [], [0.25]), unused: tensorData('int64', [1], [0]) };
  const update = { next: 'layers.0/w' };
  const losses: number[] = [];
  for (let step = 0; step < 3; step++)
    losses.push(...toNumbers((await session.run(feeds, { fetch: ['loss'], variables, update })).loss));
  expect(losses).toEqual([336, 84, 21]);
  expect(toNumbers((await variables.read(['layers.0/w']))['layers.0/w'])).toEqual([0.5, -1, 2]);
});
