import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isGvuError } from '@gvu/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { add, cast, exp, neg } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { matmul, sum } from '../ops/linear.ts';
import { concat, slice } from '../ops/movement.ts';
import {
  type Block,
  createGraph,
  type Graph,
  input,
  isBlock,
  type Node,
  output,
  type Tensor,
  weight,
} from './graph.ts';
import { graphProblems, verify } from './verify.ts';

const square = { dtype: 'float32', shape: [2, 2] } as const;

/** A graph with one input, and its input. */
function start(): { graph: Graph; x: Tensor } {
  const graph = createGraph({ name: 'g' });
  return { graph, x: input(graph, 'x', square) };
}

/** Changes what the types declare unchangeable, as code without types could. */
function corrupt<T extends object>(target: T, change: { -readonly [K in keyof T]?: unknown }): void {
  Object.assign(target, change);
}

function nodeOf({ source }: Tensor): Node {
  if (source.kind !== 'node') throw new Error('not made by a node');
  return source.node;
}

function bodyOf(node: Node, name = 'body'): Block {
  const body = (node.attributes as Record<string, Block>)[name];
  if (!isBlock(body)) throw new Error('no body');
  return body;
}

test('a sound graph has no problems', () => {
  const { graph, x } = start();
  const { carried } = loop(graph, { trips: 2, carried: [{ initial: x, grows: 0 }] }, (_, [rows = x]) => ({
    carried: [concat([rows, x], 0)],
    kept: [x],
  }));
  const [y = x] = branch(
    input(graph, 'flag', { dtype: 'bool', shape: [] }),
    () => carried,
    () => [x],
  );
  output('y', y);
  output('same', x);
  output('twice', x);
  output('empty', slice(x, 0, { start: 2 }));
  expect(graphProblems(graph)).toEqual([]);
});

test('one body value may be carried and kept', () => {
  const { graph, x } = start();
  const { carried } = loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => {
    const next = neg(value);
    return { carried: [next], kept: [next] };
  });
  output('y', carried[0] ?? x);
  expect(graphProblems(graph)).toEqual([]);
});

test('all problems come at once, by the graph’s own names', () => {
  const { graph, x } = start();
  const y = add(x, weight(graph, 'w', { ...square, data: new Float32Array(4) }));
  const z = neg(y);
  output('z', z);
  corrupt(y, { shape: [4] });
  corrupt(z, { name: 'w' });
  graph.main.nodes.reverse();
  let thrown: unknown;
  try {
    verify(graph);
  } catch (error) {
    thrown = error;
  }
  if (!isGvuError(thrown, 'GVU_GRAPH_INVALID')) throw new Error(`threw ${String(thrown)}`);
  expect(thrown.details?.problems).toEqual([
    "'Neg' reads 'Add', which is not computed before it or not visible there.",
    "'w' claims float32[2, 2] but is float32[4].",
    "The name 'w' is taken twice.",
    "'Add' claims float32[4] but is float32[2, 2].",
  ]);
  expect(thrown.message).toContain("Graph 'g' has 4 problem(s)");
});

describe('names', () => {
  test.each([
    ['of an input and a node', ({ y }: Sample) => corrupt(y, { name: 'x' }), "The name 'x' is taken twice."],
    ['of two weights', ({ v }: Sample) => corrupt(v, { name: 'w' }), "The name 'w' is taken twice."],
    ['of an input and a weight', ({ w }: Sample) => corrupt(w, { name: 'x' }), "The name 'x' is taken twice."],
    ['of an output and a node', ({ y }: Sample) => corrupt(y, { name: 'out' }), "The name 'out' is taken twice."],
    ['that are empty', ({ y }: Sample) => corrupt(y, { name: '' }), 'A tensor has an empty name.'],
    [
      'of two outputs',
      ({ graph, x }: Sample) => graph.main.outputs.push({ name: 'out', tensor: x }),
      "The name 'out' is taken twice.",
    ],
    [
      'of a body’s value and one around it',
      ({ inner }: Sample) => corrupt(inner, { name: 'x' }),
      "The name 'x' is taken twice.",
    ],
  ])('%s', (_, damage, problem) => {
    const sample = sampleGraph();
    expect(graphProblems(sample.graph)).toEqual([]);
    damage(sample);
    expect(graphProblems(sample.graph)).toEqual([problem]);
  });

  test('of two branches may not be the same either', () => {
    const { graph, x } = start();
    const [y = x] = branch(
      input(graph, 'flag', { dtype: 'bool', shape: [] }),
      () => [neg(x)],
      () => [exp(x)],
    );
    output('y', y);
    const [first] = bodyOf(nodeOf(y), 'else_branch').nodes;
    if (first?.outputs[0]) corrupt(first.outputs[0], { name: 'Neg' });
    expect(graphProblems(graph)).toEqual(["The name 'Neg' is taken twice."]);
  });
});

interface Sample {
  graph: Graph;
  x: Tensor;
  y: Tensor;
  w: Tensor;
  v: Tensor;
  inner: Tensor;
}

function sampleGraph(): Sample {
  const { graph, x } = start();
  const w = weight(graph, 'w', { ...square, data: new Float32Array(4) });
  const v = weight(graph, 'v', { ...square, data: new Float32Array(4) });
  const y = matmul(add(x, w), v);
  let inner = x;
  const { carried } = loop(graph, { trips: 2, carried: [{ initial: y }] }, (_, [value = y]) => {
    inner = neg(value);
    return { carried: [inner], kept: [] };
  });
  output('out', carried[0] ?? x);
  return { graph, x, y, w, v, inner };
}

describe('what can be seen', () => {
  test('is not the inside of a body', () => {
    const { graph, inner } = sampleGraph();
    output('leak', inner);
    output('leak_2', neg(inner));
    expect(graphProblems(graph)).toEqual([
      "'Neg_1' reads 'Neg', which is not computed before it or not visible there.",
      "Output 'leak' of 'g' is 'Neg', which is not visible there.",
    ]);
  });

  test('is not the other branch', () => {
    const { graph, x } = start();
    let hidden = x;
    const [y = x] = branch(
      input(graph, 'flag', { dtype: 'bool', shape: [] }),
      () => {
        hidden = neg(x);
        return [hidden];
      },
      () => [exp(hidden)],
    );
    output('y', y);
    expect(graphProblems(graph)).toEqual(["'Exp' reads 'Neg', which is not computed before it or not visible there."]);
  });

  test('is not what comes later around a body', () => {
    const { graph, x } = start();
    const [y = x] = branch(
      input(graph, 'flag', { dtype: 'bool', shape: [] }),
      () => [neg(x)],
      () => [exp(x)],
    );
    const later = sum(x, [0], { keepDims: true });
    output('y', add(y, later));
    const [negation] = bodyOf(nodeOf(y), 'then_branch').nodes;
    if (negation) corrupt(negation, { inputs: [later] });
    expect(graphProblems(graph)).toContain(
      "'Neg' reads 'ReduceSum', which is not computed before it or not visible there.",
    );
  });

  test('is not a tensor of another graph', () => {
    const [{ graph, x }, other] = [start(), start()];
    const y = neg(x);
    output('y', y);
    corrupt(nodeOf(y), { inputs: [other.x] });
    expect(graphProblems(graph)).toEqual(["'Neg' reads 'x', which is not computed before it or not visible there."]);
  });

  test('a body gives only what it makes', () => {
    const { graph, x } = start();
    const [y = x] = branch(
      input(graph, 'flag', { dtype: 'bool', shape: [] }),
      () => [neg(x)],
      () => [exp(x)],
    );
    output('y', y);
    const outputs = bodyOf(nodeOf(y), 'then_branch').outputs;
    outputs.splice(0, 1, { name: 'value_0', tensor: x });
    expect(graphProblems(graph)).toEqual(["Output 'value_0' of 'then' is 'x', which a body must copy by Identity."]);
  });
});

describe('bodies', () => {
  test('may not change the shape of what they carry, unless it is declared', () => {
    const { graph, x } = start();
    expect(() =>
      loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [rows = x]) => ({
        carried: [concat([rows, x], 0)],
        kept: [],
      })),
    ).toThrow(
      'carried value 0 enters the body as [2, 2], starts as [2, 2] and leaves as [4, 2]; declare the axis that grows',
    );
  });

  test('may not change its dtype', () => {
    const { graph, x } = start();
    expect(() =>
      loop(graph, { trips: 2, carried: [{ initial: x }] }, (_, [value = x]) => ({
        carried: [cast(value, 'int64')],
        kept: [],
      })),
    ).toThrow('GVU_GRAPH_DTYPE');
  });

  test('are checked again', () => {
    const { graph, x } = start();
    const { carried } = loop(graph, { trips: 2, carried: [{ initial: x, grows: 0 }] }, (_, [rows = x]) => ({
      carried: [concat([rows, x], 0)],
      kept: [],
    }));
    const [y = x] = carried;
    output('y', y);
    const entering = bodyOf(nodeOf(y)).inputs[2];
    if (entering) corrupt(entering, { shape: [2, 2] });
    expect(graphProblems(graph).join('\n')).toContain('declare the axis that grows');
  });
});

describe('weights', () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'gvu-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  }

  test.each([
    [{ length: 12 }, "Weight 'w' of float32[2, 2] needs 16 bytes, its region has 12."],
    [{ length: 20 }, "Weight 'w' of float32[2, 2] needs 16 bytes, its region has 20."],
    [{ offset: 8 }, "Weight 'w' ends at byte 24, but 'FILE' has only 20."],
    [{ offset: -4 }, "Weight 'w' lies at the impossible offset -4 of 'FILE'."],
    [{ offset: 0.5 }, "Weight 'w' lies at the impossible offset 0.5 of 'FILE'."],
    [{ offset: Number.NaN }, "Weight 'w' lies at the impossible offset NaN of 'FILE'."],
    [{ file: '/nowhere/at/all' }, "Weight 'w' lies in '/nowhere/at/all', which is no file."],
    [{ file: tmpdir() }, `Weight 'w' lies in '${tmpdir()}', which is no file.`],
  ])('must lie in their files: %o', (wrong, problem) => {
    const file = join(folder(), 'w.bin');
    writeFileSync(file, new Uint8Array(20));
    const { graph, x } = start();
    output('y', add(x, weight(graph, 'w', { ...square, file, offset: 4, length: 16, ...wrong })));
    expect(graphProblems(graph)).toEqual([problem.replace('FILE', file)]);
  });

  test('must have lengths', () => {
    const { graph, x } = start();
    output('y', matmul(weight(graph, 'w', { dtype: 'float32', shape: [-1, 2], file: '/', offset: 0, length: 0 }), x));
    expect(graphProblems(graph)).toContain("'w' has an impossible shape [-1, 2].");
  });

  test('in memory must still fill their tensors', () => {
    const { graph, x } = start();
    const w = weight(graph, 'w', { ...square, data: new Float32Array(4) });
    output('y', add(x, w));
    if (w.source.kind === 'weight') corrupt(w.source.data, { data: new Float32Array(3) });
    expect(graphProblems(graph).join()).toContain("'w' has 3 elements, its shape [2, 2] needs 4.");
  });
});

describe('nodes', () => {
  test('take integers where ONNX has integers', () => {
    const { graph, x } = start();
    const y = sum(x, [0], { keepDims: true });
    output('y', y);
    corrupt(nodeOf(y), { attributes: { keepdims: 0.5 } });
    expect(graphProblems(graph)).toContain("Attribute 'keepdims' of 'ReduceSum' must be of integers, not 0.5.");
  });

  test('are of known operators, in their domain', () => {
    const { graph, x } = start();
    const [y, z] = [neg(x), exp(x)];
    output('y', y);
    output('z', z);
    corrupt(nodeOf(y), { op: 'Negate' });
    corrupt(nodeOf(z), { domain: 'com.microsoft' });
    expect(graphProblems(graph)).toEqual([
      "'Neg' is of the unknown operator 'Negate'.",
      "'Exp' is of domain 'com.microsoft', Exp of ''.",
    ]);
  });

  test('give every output of their operator, and no other', () => {
    const { graph, x } = start();
    const [y, z] = [neg(x), exp(x)];
    output('y', y);
    output('z', z);
    corrupt(nodeOf(y), { outputs: [] });
    corrupt(nodeOf(z), { outputs: [z, { ...z, name: 'more' }] });
    expect(graphProblems(graph)).toEqual([
      "'Neg' lacks output 0.",
      "'more' claims float32[2, 2] but is absent.",
      "Output 'y' of 'g' is 'Neg', which is not visible there.",
    ]);
  });
});

test('shapes are whole numbers', () => {
  const graph = createGraph({ name: 'g' });
  output('y', neg(input(graph, 'x', { dtype: 'float32', shape: [2.5, -2] })));
  expect(graphProblems(graph)).toEqual([
    "'x' has an impossible shape [2.5, -2].",
    "'Neg' has an impossible shape [2.5, -2].",
  ]);
});

test('bfloat16 does not pass the border of a program', () => {
  const graph = createGraph({ name: 'g', target: 'cuda' });
  const x = input(graph, 'x', { dtype: 'bfloat16', shape: [2] });
  output('y', neg(x));
  output('z', cast(x, 'float32'));
  expect(graphProblems(graph)).toEqual([
    "'x' is bfloat16, which cannot be fed or fetched; cast it from or to float32.",
    "'Neg' is bfloat16, which cannot be fed or fetched; cast it from or to float32.",
  ]);
});

test('a graph has an output', () => {
  expect(graphProblems(createGraph({ name: 'g' }))).toEqual(["'g' has no output."]);
});

test('what a loop keeps has a known length only if nothing ends the loop before', () => {
  const { graph, x } = start();
  const kept = (trips: number) =>
    loop(graph, { trips, carried: [{ initial: x }] }, (_, [value = x]) => ({ carried: [value], kept: [neg(value)] }));
  const [steady = x] = kept(3).kept;
  expect(steady.shape).toEqual([3, 2, 2]);
  // The same loop, with a condition that depends on what is computed.
  const node = nodeOf(steady);
  const total = sum(neg(x));
  const body = bodyOf(node);
  body.outputs.splice(0, 1, { name: 'condition', tensor: { ...cast(total, 'bool'), block: body } });
  expect(graphProblems(graph)).toContain("'Loop:1' claims float32[3, 2, 2] but is float32[?, 2, 2].");
});
