import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { backendConfig } from './options.ts';

it('the schema file is the schema in the source', () => {
  const file = JSON.parse(readFileSync(new URL('../schema/janus.json', import.meta.url), 'utf8'));
  expect(file).toEqual(backendConfig.schema);
});

it('the least that can be said is the directory', () => {
  expect(backendConfig.parse({ model: 'x' }, { source: 'test' })).toEqual({
    model: 'x',
    guidance: 5,
    speakers: 'pro',
    sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
  });
  expect(() => backendConfig.parse({}, { source: 'test' })).toThrowError(/GVU_CONFIG_INVALID.*model/s);
});
