import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findLaxities } from './strict-json.ts';

describe('repeated keys', () => {
  test.each([
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"a":{"b":1,"b":2},"c":{"b":3}}', ['b']],
    ['{"a":[{"x":1},{"x":2}],"a":0,"a":0}', ['a']],
    ['{"\\"":1,"\\\\":2,"\\"":3}', ['"']],
    ['{"__proto__":1,"__proto__":2,"":0,"":0}', ['__proto__', '']],
    ['{ "a" :\n1 ,\t"a" : 2 }', ['a']],
  ])('in %s', (json, repeated) => {
    expect(findLaxities(json).repeatedKeys).toEqual(repeated);
  });

  test.each([
    '{"a":"a","b":"a"}',
    '{"a":["a","a"]}',
    '{"a":{"a":{"a":"\\\\"}}}',
    '{"a":"\\",\\"a\\":1"}',
    '["a","a",{"a":[]}]',
    '"a"',
  ])('none in %s', (json) => {
    expect(findLaxities(json).repeatedKeys).toEqual([]);
  });
});

test.each([
  ['[1,20,0]', false],
  ['["-1","1e3","0.5"]', false],
  ['[true,false,null]', false],
  ['[-0]', true],
  ['[8.0]', true],
  ['[1E3]', true],
])('odd numbers in %s: %s', (json, odd) => {
  expect(findLaxities(json).oddNumbers).toBe(odd);
});

test('finds nothing in what JSON.stringify writes, whatever the keys and texts', () => {
  const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', '"', '\\', '\\"', '{', ',', ''));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, keys, fc.nat(), fc.boolean(), tie('list'), tie('object')),
    list: fc.array(tie('value')),
    object: fc.dictionary(keys, tie('value')),
  }));
  fc.assert(
    fc.property(value, fc.nat(2), (json, indent) => {
      expect(findLaxities(JSON.stringify(json, null, indent))).toEqual({ repeatedKeys: [], oddNumbers: false });
    }),
    { seed: 20261123 },
  );
});
