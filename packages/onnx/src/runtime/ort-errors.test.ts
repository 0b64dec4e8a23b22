import { describe, expect, test } from 'vitest';
import { asSentence, nodesIn, withCode } from './ort-errors.ts';
import { WorkerFailure } from './worker-client.ts';

describe('nodesIn', () => {
  test('a node in the body of a Loop comes after the Loop', () => {
    const message =
      "Non-zero status code returned while running Loop node. Name:'sample/loop' Status Message: Non-zero status code returned " +
      "while running Add node. Name:'sample/loop/layers.0.attention/add' Status Message: axis == 1 was false. 2 by 3";
    expect(nodesIn(message)).toEqual([
      { op: 'Loop', name: 'sample/loop' },
      { op: 'Add', name: 'sample/loop/layers.0.attention/add' },
    ]);
  });

  test('a kernel that is missing', () => {
    const message = "Could not find an implementation for Einsum(12) node with name 'layers.0/einsum'";
    expect(nodesIn(message)).toEqual([{ op: 'Einsum', name: 'layers.0/einsum' }]);
  });

  test('a message without a node', () => {
    expect(nodesIn('Failed to allocate memory for requested buffer of size 1099511627776')).toEqual([]);
  });
});

describe('withCode', () => {
  test('leaves the errors of others alone', () => {
    const other = new RangeError('not of ONNX Runtime');
    expect(() => withCode('GVU_RUNTIME_RUN', { what: 'x' })(other)).toThrow(other);
  });

  test('tells of bfloat16 what to do', () => {
    const failure = new WorkerFailure('Unsupported data type: 16');
    expect(() => withCode('GVU_RUNTIME_LOAD', { what: `'p' cannot be loaded` })(failure)).toThrow(
      /^GVU_RUNTIME_LOAD: 'p' cannot be loaded: Unsupported data type: 16\. .*BitCast/,
    );
  });
});

test('asSentence ends a message once', () => {
  expect(['a', 'a.', ' a\n', ''].map(asSentence)).toEqual(['a.', 'a.', 'a.', '.']);
});
