import { runConfig } from '@gvu/rl';
import { expect, test } from 'vitest';
import { describeSchema } from './describe-schema.ts';

test('lists keys in depth, with types, limits and defaults', () => {
  const schema = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', description: 'Its name.' },
      size: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1, default: 3 },
      share: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
      mode: { enum: ['a', 'b'], default: 'a' },
      either: { anyOf: [{ type: 'string' }, { type: 'number' }] },
      parts: { type: 'array', items: { type: 'object', properties: { weight: { type: 'number', default: 1 } } } },
    },
  };
  expect(describeSchema(schema).map(({ key, type, default: value }) => [key, type, value])).toEqual([
    ['name', 'string', 'required'],
    ['size', 'integer >= 1', '3'],
    ['share', 'number > 0 <= 1', undefined],
    ['mode', '"a" | "b"', '"a"'],
    ['either', 'string | number', undefined],
    ['parts', 'object[]', undefined],
    ['parts[].weight', 'number', '1'],
  ]);
});

test('no key of a run is without a description', () => {
  const keys = describeSchema(runConfig.schema);
  expect(keys.length).toBeGreaterThan(50);
  expect(keys.filter(({ description }) => description.length < 5)).toEqual([]);
  expect(keys.map(({ key }) => key)).toContain('evaluation.rewards[].onError');
});

test('what is no schema of an object has no keys', () => {
  for (const schema of [undefined, true, { type: 'string' }, { properties: [] }])
    expect(describeSchema(schema)).toEqual([]);
});
