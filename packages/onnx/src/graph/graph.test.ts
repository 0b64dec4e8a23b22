import { describe, expect, test } from 'vitest';
import { add, exp, mul } from '../ops/arithmetic.ts';
import { loop } from '../ops/control.ts';
import { topK } from '../ops/linear.ts';
import { tensorData } from '../tensor-data.ts';
import { constant, constantData, createGraph, emit, graphOf, input, output, scope, weight } from './graph.ts';

const vector = { dtype: 'float32', shape: [3] } as const;

describe('names', () => {
  test('nest with their scopes and are counted within them', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    const names = scope(graph, 'layers.0', () => [
      exp(x).name,
      exp(x).name,
      scope(graph, 'attention', () => exp(x).name),
    ]);
    expect([...names, exp(x).name]).toEqual(['layers.0/Exp', 'layers.0/Exp_1', 'layers.0/attention/Exp', 'Exp']);
  });

  test('step aside for names that were given by hand', () => {
    const graph = createGraph();
    const x = input(graph, 'Exp', vector);
    const y = input(graph, 'Exp_1', vector);
    expect([exp(x).name, exp(y).name, exp(x).name]).toEqual(['Exp_2', 'Exp_3', 'Exp_4']);
  });

  test('of later outputs step aside too', () => {
    const graph = createGraph();
    const x = input(graph, 'TopK:1', vector);
    expect(topK(x, 2).indices.name).toBe('TopK:1_1');
  });

  test('can be given to a node, and stay unique', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    const named = () => emit(graph, 'Exp', [x], { attributes: {}, names: ['hidden'] })[0].name;
    expect([named(), named(), scope(graph, 'block', named)]).toEqual(['hidden', 'hidden_1', 'block/hidden']);
  });

  test.each([
    ['two inputs', (graph: ReturnType<typeof createGraph>) => input(graph, 'x', vector)],
    ['an output like an input', (graph: ReturnType<typeof createGraph>) => output('x', graphInput(graph))],
    ['a weight like an input', (graph: ReturnType<typeof createGraph>) => weight(graph, 'x', one)],
    ['an empty name', (graph: ReturnType<typeof createGraph>) => input(graph, '', vector)],
  ])('may not repeat: %s', (_, declare) => {
    const graph = createGraph();
    input(graph, 'x', vector);
    expect(() => declare(graph)).toThrow('GVU_GRAPH_NAME');
  });

  test('of inputs are those asked for, also when the type comes from a value with a name of its own', () => {
    const type = { name: 'old', dtype: 'float32', shape: [2] } as const;
    expect(input(createGraph(), 'new', type).name).toBe('new');
  });

  test('two outputs may not share one', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    output('y', x);
    expect(() => output('y', exp(x))).toThrow("GVU_GRAPH_NAME: Two outputs of 'graph' are called 'y'.");
  });
});

const one = { dtype: 'float32', shape: [1], data: Float32Array.of(1) } as const;
const graphInput = (graph: ReturnType<typeof createGraph>) => graph.main.inputs[0] ?? input(graph, 'other', vector);

describe('constants', () => {
  test('of equal bits, dtype and shape are one tensor', () => {
    const graph = createGraph();
    const first = constant(graph, 'float32', [2], [1, 2]);
    expect(constant(graph, 'float32', [2], [1, 2])).toBe(first);
    expect(constantData(graph, { dtype: 'float32', shape: [2], data: new Float32Array([0, 1, 2]).subarray(1) })).toBe(
      first,
    );
    expect(graph.constants.size).toBe(1);
  });

  test('that differ in any of these are several', () => {
    const graph = createGraph();
    const all = [
      constant(graph, 'float32', [], [0]),
      constant(graph, 'float32', [], [-0]),
      constant(graph, 'float32', [1], [0]),
      constant(graph, 'int32', [], [0]),
      constant(graph, 'float32', [], [Number.NaN]),
    ];
    expect(new Set(all).size).toBe(5);
    expect(new Set(all.map(({ name }) => name)).size).toBe(5);
  });

  test('are made once although they are asked for inside a body', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    const y = mul(x, 2);
    loop(graph, { trips: 2, carried: [{ initial: y }] }, (_, [value = y]) => ({ carried: [mul(value, 2)], kept: [] }));
    expect([...graph.constants.values()].filter(({ dtype }) => dtype === 'float32')).toHaveLength(1);
  });
});

describe('operators', () => {
  test('take operands of one graph only', () => {
    const [a, b] = [createGraph({ name: 'a' }), createGraph({ name: 'b' })];
    expect(() => add(input(a, 'x', vector), input(b, 'y', vector))).toThrow(
      "GVU_GRAPH_SCOPE: 'y' belongs to another graph than 'a'.",
    );
  });

  test('take the operands that they are made for', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    expect(() => emit(graph, 'Exp', [x, x], { attributes: {} })).toThrow('GVU_GRAPH_SHAPE');
    expect(() => emit(graph, 'Add', [x, undefined], { attributes: {} })).toThrow('operand 1 is missing');
    expect(() => emit(graph, 'Add', [x], { attributes: {} })).toThrow('takes 2 to 2 operands, not 1');
  });

  test('that are refused leave no node behind', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    expect(() => add(x, input(graph, 'y', { dtype: 'float32', shape: [2] }))).toThrow('GVU_GRAPH_SHAPE');
    expect(graph.main.nodes).toEqual([]);
  });

  test('find their graph by their first tensor, and need one', () => {
    const graph = createGraph();
    expect(graphOf(3, input(graph, 'x', vector))).toBe(graph);
    expect(() => graphOf(3, 4)).toThrow('GVU_GRAPH_SCOPE');
  });
});

describe('building that fails', () => {
  test('leaves the scope and the block as they were', () => {
    const graph = createGraph();
    const x = input(graph, 'x', vector);
    const fail = () => {
      throw new Error('not today');
    };
    expect(() => scope(graph, 'inner', fail)).toThrow('not today');
    expect(() => loop(graph, { trips: 1, carried: [{ initial: x }] }, fail)).toThrow('not today');
    const y = exp(x);
    expect([y.name, y.block]).toEqual(['Exp', graph.main]);
  });
});

test('a weight in memory must fill its shape', () => {
  const graph = createGraph();
  expect(() => weight(graph, 'w', { dtype: 'float32', shape: [3], data: new Float32Array(2) })).toThrow(
    'GVU_TENSOR_DATA',
  );
});

test('an output may have the name of the node that makes it, but not that of an input', () => {
  const graph = createGraph();
  const x = input(graph, 'x', vector);
  const y = emit(graph, 'Exp', [x], { attributes: {}, names: ['y'] })[0];
  output('y', y);
  expect(graph.main.outputs).toEqual([{ name: 'y', tensor: y }]);
  expect(() => output('x', x)).toThrow('GVU_GRAPH_NAME');
  expect(() => output('y', x)).toThrow('GVU_GRAPH_NAME');
});

test('an output is declared outside the bodies of loops', () => {
  const graph = createGraph();
  const x = input(graph, 'x', vector);
  const build = () =>
    loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [carried = x]) => {
      output('inside', carried);
      return { carried: [carried], kept: [] };
    });
  expect(build).toThrow(/GVU_GRAPH_SCOPE: The output 'inside' is declared inside the body/);
});

test('a constant keeps the values that it was made of', () => {
  const graph = createGraph();
  const data = tensorData('float32', [2], [1, 2]);
  const before = constantData(graph, data);
  data.data.fill(7);
  const after = constantData(graph, data);
  expect(after).not.toBe(before);
  expect(before.source).toMatchObject({ data: { data: Float32Array.of(1, 2) } });
});
