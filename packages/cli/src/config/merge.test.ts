import { describe, expect, test } from 'vitest';
import { assign, mergeConfig, parseAssignment } from './merge.ts';

describe('merging', () => {
  test('goes key by key; lists and values are replaced, and nothing is changed in place', () => {
    const base = { steps: 1, optimiser: { beta1: 0.9, beta2: 0.99 }, rewards: [{ use: 'gvu' }, { use: 'random' }] };
    const copy = structuredClone(base);
    expect(mergeConfig(base, { steps: 2, optimiser: { beta2: 0.5 }, rewards: [{ use: 'jpeg-size' }] })).toEqual({
      steps: 2,
      optimiser: { beta1: 0.9, beta2: 0.5 },
      rewards: [{ use: 'jpeg-size' }],
    });
    expect(base).toEqual(copy);
  });

  test('another contribution leaves the options of the former one behind', () => {
    const base = { algorithm: { use: 'grpo', options: { beta: 0.03 } } };
    expect(mergeConfig(base, { algorithm: { use: 'rloo' } })).toEqual({ algorithm: { use: 'rloo', options: {} } });
    expect(mergeConfig(base, { algorithm: { use: 'rloo', options: { scale: 'none' } } })).toEqual({
      algorithm: { use: 'rloo', options: { scale: 'none' } },
    });
    expect(mergeConfig(base, { algorithm: { use: 'grpo', options: { scale: 'none' } } })).toEqual({
      algorithm: { use: 'grpo', options: { beta: 0.03, scale: 'none' } },
    });
  });
});

describe('assignments', () => {
  test.each([
    ['steps=50', { path: ['steps'], value: 50 }],
    ['schedule=cosine', { path: ['schedule'], value: 'cosine' }],
    ['backend.options.model=a=b', { path: ['backend', 'options', 'model'], value: 'a=b' }],
    ['rewards=[{"use":"gvu"}]', { path: ['rewards'], value: [{ use: 'gvu' }] }],
    ['evaluation.exam=', { path: ['evaluation', 'exam'], value: '' }],
    ['backend.options.model="7"', { path: ['backend', 'options', 'model'], value: '7' }],
  ])('%s', (text, expected) => {
    expect(parseAssignment(text)).toEqual(expected);
  });

  test.each(['steps', '=5', 'a..b=1', '.a=1', '__proto__.polluted=1', ''])('%j is none', (text) => {
    expect(() => parseAssignment(text)).toThrow(expect.objectContaining({ code: 'GVU_CLI_USAGE' }));
  });

  test('reach into objects and lists, and make what is missing', () => {
    const base = { rewards: [{ use: 'gvu' }, { use: 'random', weight: 0 }], optimiser: { beta1: 0.9 } };
    expect(assign(base, { path: ['rewards', '1', 'weight'], value: 2 }).rewards).toEqual([
      { use: 'gvu' },
      { use: 'random', weight: 2 },
    ]);
    expect(assign(base, { path: ['rewards', '2'], value: { use: 'jpeg-size' } }).rewards).toHaveLength(3);
    expect(assign(base, { path: ['rewards', '0', 'options', 'teacher'], value: 'ema' }).rewards).toEqual([
      { use: 'gvu', options: { teacher: 'ema' } },
      { use: 'random', weight: 0 },
    ]);
    expect(assign(base, { path: ['adapter', 'rank'], value: 4 })).toEqual({ ...base, adapter: { rank: 4 } });
    // Beyond the end of the list there would be holes: the schema refuses what becomes of it.
    expect(assign(base, { path: ['rewards', '7', 'weight'], value: 1 }).rewards).toEqual({ 7: { weight: 1 } });
  });

  test('cannot reach the prototype of objects', () => {
    assign({}, { path: ['constructor', 'prototype', 'polluted'], value: 1 });
    expect('polluted' in {}).toBe(false);
  });
});
