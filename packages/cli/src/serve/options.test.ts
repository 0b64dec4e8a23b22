import { expect, test } from 'vitest';
import { accessAt, pageUrl } from './options.ts';

test('on loopback everybody may watch, and control takes a token', () => {
  for (const host of ['127.0.0.1', 'localhost', '::1', '127.1.2.3']) {
    const { tokens, watchToken, controlToken } = accessAt({ host, control: true }, {});
    expect(watchToken).toBeUndefined();
    expect(tokens).toEqual([{ token: controlToken, scopes: ['read', 'infer', 'control'] }]);
    expect(controlToken?.length).toBeGreaterThanOrEqual(24);
  }
  expect(accessAt({ host: '127.0.0.1', control: false }, {}).tokens).toEqual([]);
});

test('elsewhere watching takes a token too, and no two are the same', () => {
  const { tokens, watchToken, controlToken } = accessAt({ host: '0.0.0.0', control: true }, {});
  expect(tokens.map(({ scopes }) => scopes.length)).toEqual([2, 3]);
  expect(new Set([watchToken, controlToken, accessAt({ host: '::', control: true }, {}).watchToken]).size).toBe(3);
});

test('the environment may say which', () => {
  const env = { GVU_TOKEN: 'watch-watch-watch', GVU_CONTROL_TOKEN: 'steer-steer-steer' };
  expect(accessAt({ host: '127.0.0.1', control: true }, env).tokens.map(({ token }) => token)).toEqual([
    'watch-watch-watch',
    'steer-steer-steer',
  ]);
});

test('tokens are behind the # of an address, never in its query', () => {
  expect(pageUrl('http://127.0.0.1:1', undefined)).toBe('http://127.0.0.1:1');
  expect(pageUrl('http://127.0.0.1:1', 'a&b')).toBe('http://127.0.0.1:1/#token=a%26b');
});
