import { expect, it } from 'vitest';
import { priorCache } from './prior-cache.ts';

it('keeps the priors used last, of one version', () => {
  const cache = priorCache(2);
  cache.set('a', 'v1', [-1]);
  cache.set('b', 'v1', [-2]);
  expect(cache.get('a', 'v1')).toEqual([-1]);
  cache.set('c', 'v1', [-3]);
  expect(cache.get('b', 'v1')).toBeUndefined();
  expect(cache.get('a', 'v1')).toEqual([-1]);
  expect(cache.get('a', 'v2')).toBeUndefined();
  cache.set('a', 'v2', [-4]);
  expect(cache.get('c', 'v2')).toBeUndefined();
  expect(cache.get('a', 'v2')).toEqual([-4]);
});
