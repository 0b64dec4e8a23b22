import { isGvuError } from '@gvu/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foreignModel, node } from '../../test/foreign-model.ts';
import { createGraph, input, output, weight } from '../graph/graph.ts';
import { add, mul } from '../ops/arithmetic.ts';
import { branch, loop } from '../ops/control.ts';
import { concat } from '../ops/movement.ts';
import { tensorData } from '../tensor-data.ts';
import { compile } from './encode.ts';
import { readModel } from './read-model.ts';

/** A model with bodies, weights inside and outside, and every kind of attribute. */
function ownModel(): Uint8Array {
  const graph = createGraph({ name: 'own' });
  const x = input(graph, 'x', { dtype: 'float32', shape: [1, 4] });
  const w = weight(graph, 'w', { dtype: 'float32', shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) });
  const { carried } = loop(graph, { trips: 3, carried: [{ initial: mul(x, w), grows: 0 }] }, (_, [rows = x]) => ({
    carried: [concat([rows, x], 0)],
    kept: [],
  }));
  const [y = x] = branch(
    input(graph, 'flag', { dtype: 'bool', shape: [] }),
    () => carried,
    () => [add(x, 0.5)],
  );
  output('y', y);
  return compile(graph).model;
}

function codeOf(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    return isGvuError(error) ? error.code : `${error}`;
  }
}

describe('a model is described', () => {
  test('by its interface, its operators and its producer', () => {
    expect(readModel(ownModel())).toEqual({
      irVersion: 10,
      producer: 'gvu',
      opsets: { '': 23, 'com.microsoft': 1 },
      inputs: [
        { name: 'x', type: 'float32', shape: [1, 4] },
        { name: 'flag', type: 'bool', shape: [] },
      ],
      outputs: [{ name: 'y', type: 'float32', shape: ['y/axis_0', 4] }],
      operators: [
        { domain: '', op: 'Identity', count: 4 },
        { domain: '', op: 'Add', count: 1 },
        { domain: '', op: 'Concat', count: 1 },
        { domain: '', op: 'If', count: 1 },
        { domain: '', op: 'Loop', count: 1 },
        { domain: '', op: 'Mul', count: 1 },
      ],
      weights: { count: 4, elements: 7 },
      externalFiles: [],
    });
  });

  test('with symbolic lengths, without what is not declared, and without inputs that have values', () => {
    const bytes = foreignModel(
      {
        inputs: {
          ids: { dtype: 'int64', shape: ['batch', 'sequence', 8] },
          open: { dtype: 'float32', shape: ['', -1] },
          unknown: { dtype: 'float32' },
          w: { dtype: 'float32', shape: [1] },
        },
        outputs: { y: { dtype: 'float32' } },
        nodes: [node('Neg', ['unknown'], ['y'])],
        initializers: { w: tensorData('float32', [1], [1]) },
      },
      { opset: 12, irVersion: 3 },
    );
    const { inputs, outputs, producer, irVersion } = readModel(bytes);
    expect({ inputs, outputs, producer, irVersion }).toEqual({
      inputs: [
        { name: 'ids', type: 'int64', shape: ['batch', 'sequence', 8] },
        { name: 'open', type: 'float32', shape: ['?', '?'] },
        { name: 'unknown', type: 'float32', shape: undefined },
      ],
      outputs: [{ name: 'y', type: 'float32', shape: undefined }],
      producer: 'pytorch 2.4',
      irVersion: 3,
    });
  });

  test('without a look at its files', () => {
    const { weights, externalFiles } = readModel(
      foreignModel({
        inputs: {},
        outputs: { y: { dtype: 'float32' } },
        nodes: [node('Identity', ['w'], ['y'])],
        external: { w: { shape: [2, 3], location: 'weights/model.onnx_data' } },
      }),
    );
    expect([weights, externalFiles]).toEqual([{ count: 1, elements: 6 }, ['weights/model.onnx_data']]);
  });
});

describe('bytes that are no model', () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const sound = { inputs: {}, outputs: { y: { dtype: 'float32' as const } }, nodes: [node('Identity', ['w'], ['y'])] };
  const withWeight = (dims: readonly bigint[], change: object = {}) =>
    foreignModel(
      { ...sound, initializers: { w: tensorData('float32', [1], [1]) } },
      { change: ({ initializer: [w] }) => w && Object.assign(w, { dims, ...change }) },
    );

  test.each<[string, Uint8Array, string | RegExp]>([
    ['nothing', new Uint8Array(), 'It has no graph.'],
    ['text', text('{"model_type": "llama"}'), 'no ONNX model'],
    ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a'), 'no ONNX model'],
    ['half a model', ownModel().subarray(0, 300), 'no ONNX model'],
    ['no operator set', foreignModel(sound).filter((_, i) => i < 2), 'It imports no operator set.'],
    ['a shape below zero', withWeight([-1n]), "The stored tensor 'w' has an impossible shape."],
    ['a shape beyond all bounds', withWeight([2n ** 40n, 2n ** 40n]), "The stored tensor 'w' has an impossible shape."],
    ['a million axes', withWeight(new Array(1_000_000).fill(2n ** 62n)), 'has an impossible shape.'],
    ['a shape without its values', withWeight([2n ** 40n]), "The values of 'w' are not 1099511627776 of float32."],
    ['a weight outside that has no place', withWeight([1n], { dataLocation: 1 }), "said to be 4 bytes at 0 of ''"],
  ])('are refused: %s', (_, bytes, message) => {
    expect(codeOf(() => readModel(bytes))).toBe('GVU_MODEL_BROKEN');
    expect(() => readModel(bytes)).toThrow(message);
  });

  test('are refused with all that is wrong', () => {
    const bytes = foreignModel(
      { ...sound, nodes: [node('', [], ['a']), node('Neg', ['a'], ['y'])] },
      { irVersion: 1, change: ({ output: [y] }) => y && Object.assign(y, { name: '' }) },
    );
    expect(() => readModel(bytes)).toThrow(
      "Its version of the format is 1. A value of the graph has no name. Node '/_a' has no operator.",
    );
  });

  test('are refused when bodies are nested without end', () => {
    // attribute { g { node { attribute { … } } } }, each level around the one before.
    let bytes = new Uint8Array();
    const wrap = (field: number, inner: Uint8Array): Uint8Array<ArrayBuffer> => {
      const length: number[] = [];
      for (let rest = inner.length; ; rest >>>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest < 128) break;
      }
      return Uint8Array.from([field * 8 + 2, ...length, ...inner]);
    };
    for (let depth = 0; depth < 300; depth++) bytes = wrap(1, wrap(5, wrap(6, bytes)));
    expect(() => readModel(wrap(7, bytes))).toThrow('GVU_MODEL_BROKEN');
  });
});

test('damaged models are described or refused, quickly and without filling the memory', () => {
  const model = ownModel();
  const place = fc.nat(model.length - 1);
  const damage = fc.oneof(
    fc.record({ at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
    fc.record({ at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
    fc.record({ at: place, bytes: fc.constantFrom(new Uint8Array(9).fill(255), Uint8Array.of(255, 255, 255, 255, 7)) }),
    fc.record({ cut: place }),
    fc.record({ from: place, to: place }),
  );
  const before = process.memoryUsage();
  let longest = 0;
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 2 }), (damages) => {
      let bytes = Uint8Array.from(model);
      for (const each of damages) {
        if ('bytes' in each)
          bytes.set(each.bytes.subarray(0, Math.max(bytes.length - each.at, 0)), Math.min(each.at, bytes.length));
        else if ('cut' in each) bytes = bytes.slice(0, each.cut);
        else bytes = Uint8Array.from([...bytes.slice(0, each.from), ...bytes.slice(each.to)]);
      }
      const start = process.cpuUsage();
      const outcome = codeOf(() => readModel(bytes));
      const { user, system } = process.cpuUsage(start); // of this process: the machine may be busy with others
      longest = Math.max(longest, (user + system) / 1000);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      return outcome === 'read' || outcome === 'GVU_MODEL_BROKEN';
    }),
    { seed: 4711, numRuns: 2000 },
  );
  const after = process.memoryUsage();
  expect(longest).toBeLessThan(1000);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024);
  expect(after.rss - before.rss).toBeLessThan(256 * 1024 * 1024);
  // Both happen, or the damage is not of the right size.
  expect(outcomes.get('read')).toBeGreaterThan(100);
  expect(outcomes.get('GVU_MODEL_BROKEN')).toBeGreaterThan(100);
});
