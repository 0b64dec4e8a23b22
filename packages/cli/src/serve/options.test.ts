import { expect, test } from 'vitest';
import { accessAt, pageUrl, reachableUrl } from './options.ts';

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

test('a server at all addresses is shown at one that others can open', () => {
  const at = (address: string, internal: boolean) => {
    const common = { address, internal, netmask: '', mac: '', cidr: null };
    return address.includes(':')
      ? ({ ...common, family: 'IPv6', scopeid: 0 } as const)
      : ({ ...common, family: 'IPv4' } as const);
  };
  const interfaces = { lo: [at('127.0.0.1', true)], eth0: [at('fe80::1', false), at('192.168.0.7', false)] };
  expect(reachableUrl('https://0.0.0.0:8642', interfaces)).toBe('https://192.168.0.7:8642');
  expect(reachableUrl('http://[::]:1', interfaces)).toBe('http://192.168.0.7:1');
  expect(reachableUrl('http://0.0.0.0:1', { lo: interfaces.lo })).toBe('http://127.0.0.1:1');
  for (const url of ['http://127.0.0.1:1', 'http://[::1]:1', 'https://lab.example:443'])
    expect(reachableUrl(url, interfaces)).toBe(url);
});
