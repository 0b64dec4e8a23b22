import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { compileConfig, defineConfig } from './config.ts';
import { isGvuError } from './errors.ts';
import type { Problem } from './json-value.ts';

const training = defineConfig({
  type: 'object',
  properties: {
    steps: { type: 'integer', minimum: 1, maximum: 1000 },
    learningRate: { type: 'number', exclusiveMinimum: 0, default: 0.001 },
    reduction: { enum: ['grpo', 'bnpo', 'dr_grpo'], default: 'grpo' },
    sampler: {
      type: 'object',
      properties: { temperature: { type: 'number', default: 1 }, topK: { type: 'integer' } },
      additionalProperties: false,
      default: {},
    },
    tags: { type: 'array', items: { type: 'string', pattern: '^[a-z]+$' }, maxItems: 3 },
    token: { type: 'string', minLength: 16, writeOnly: true },
  },
  required: ['steps'],
  additionalProperties: false,
});

/** The problems of an invalid value, as `pointer message` lines. */
function problemsOf(config: { parse(value: unknown, options: { source: string }): unknown }, value: unknown): string[] {
  return problemsThrown(() => config.parse(value, { source: 'config.json' }), 'GVU_CONFIG_INVALID');
}

function problemsThrown(run: () => unknown, code: 'GVU_CONFIG_INVALID' | 'GVU_CONFIG_SCHEMA'): string[] {
  try {
    run();
  } catch (error) {
    if (!isGvuError(error, code)) throw error;
    // The two codes of this file always carry the list.
    const problems = error.details?.problems as Problem[];
    return problems.map(({ pointer, message }) => `${pointer} ${message}`);
  }
  throw new Error('nothing was thrown');
}

describe('parse', () => {
  test('fills in defaults, also nested ones, and derives the type', () => {
    const value = training.parse({ steps: 3 }, { source: 'config.json' });
    expect(value).toEqual({ steps: 3, learningRate: 0.001, reduction: 'grpo', sampler: { temperature: 1 } });
    expectTypeOf(value.steps).toEqualTypeOf<number>();
    expectTypeOf(value.reduction).toEqualTypeOf<'grpo' | 'bnpo' | 'dr_grpo'>();
    expectTypeOf(value.tags).toEqualTypeOf<string[] | undefined>();
  });

  test('leaves the input as it is and shares nothing with it or with the next result', () => {
    const input = Object.freeze({ steps: 3, sampler: Object.freeze({}), tags: Object.freeze(['a']) });
    const first = training.parse(input, { source: 'config.json' });
    first.tags?.push('b');
    first.sampler.temperature = 7;
    expect(input).toEqual({ steps: 3, sampler: {}, tags: ['a'] });
    expect(training.parse({ steps: 3 }, { source: 'config.json' }).sampler.temperature).toBe(1);
  });

  test('reports every problem at once, each with pointer, what is allowed and what is there', () => {
    const value = { learningRate: 0, reduction: 'grop', sampler: { topk: 5, temperature: 'hot' }, tags: ['ok', 'A/B'] };
    expect(problemsOf(training, value)).toMatchInlineSnapshot(`
      [
        "/steps is missing; it must be an integer (at least 1, at most 1000).",
        "/learningRate must be a number (above 0), but is 0.",
        "/reduction must be one of "grpo", "bnpo", "dr_grpo", but is "grop". Did you mean "grpo"?",
        "/sampler/topk is not a known key. Did you mean "topK"?",
        "/sampler/temperature must be a number, but is "hot".",
        "/tags/1 must be a string (matching /^[a-z]+$/), but is "A/B".",
      ]
    `);
  });

  test('names the source and counts the problems in the message', () => {
    expect(() => training.parse({ steps: 0 }, { source: 'run/config.json' })).toThrow(
      'GVU_CONFIG_INVALID: run/config.json has 1 problem.\n  /steps must be an integer (at least 1, at most 1000), but is 0.',
    );
    expect(() => training.parse([], { source: 'run/config.json' })).toThrow(
      '(the whole) must be an object, but is an array of 0.',
    );
  });

  test('says of what is missing that it is missing, and prints nothing in its place', () => {
    expect(problemsOf(training, {})).toEqual(['/steps is missing; it must be an integer (at least 1, at most 1000).']);
    expect(problemsOf(training, { steps: undefined })).toEqual(problemsOf(training, {}));
    expect(problemsOf(training, undefined)).toEqual([' is missing.']);
    const beside = defineConfig({ type: 'object', dependentRequired: { user: ['password'] } });
    expect(problemsOf(beside, { user: 'a' })).toEqual(['/password is missing beside "user".']);
  });

  test('hides a value that its schema marks as writeOnly', () => {
    const [problem] = problemsOf(training, { steps: 1, token: 'hunter2' });
    expect(problem).toBe('/token must be a string (at least 16 characters), but is another value (hidden).');
  });

  test.each([
    ['in a branch', { anyOf: [{ type: 'string', minLength: 16, writeOnly: true }, { type: 'null' }] }],
    ['beside allOf', { writeOnly: true, allOf: [{ type: 'string', minLength: 16 }] }],
    ['beside $ref', { writeOnly: true, $ref: '#/$defs/token' }],
    ['behind $ref', { $ref: '#/$defs/secret' }],
    ['around items', { writeOnly: true, type: 'array', items: { type: 'string', minLength: 16 } }],
    ['around keys', { writeOnly: true, type: 'object', additionalProperties: { const: 'other' } }],
    ['beside another type', { writeOnly: true, type: 'integer' }],
    ['beside enum, whose hint would tell', { writeOnly: true, enum: ['hunter22'] }],
  ])('hides it too when writeOnly stands %s', (_, secret) => {
    const $defs = { token: { type: 'string', minLength: 16 }, secret: { type: 'integer', writeOnly: true } };
    const config = compileConfig({ $defs, properties: { secret } }, { source: 'schema.json' });
    for (const value of ['hunter2', ['hunter2'], { key: 'hunter2' }]) {
      expect(problemsOf(config, { secret: value }).join(), JSON.stringify(value)).not.toMatch(/hunter2\b/);
    }
  });

  test('a schema that refers to itself without an end is one that is not valid', () => {
    const config = compileConfig({ $ref: '#' }, { source: 'schema.json' });
    expect(problemsThrown(() => config.parse(1, { source: 'x' }), 'GVU_CONFIG_SCHEMA')).toEqual([
      ' refers to itself without an end.',
    ]);
  });

  test('shortens a long value and a long list', () => {
    const [problem] = problemsOf(training, { steps: 'x'.repeat(10_000) });
    expect(problem?.length).toBeLessThan(200);
    const many = defineConfig({ type: 'array', items: { type: 'string' } });
    const numbers = Array.from({ length: 1000 }, (_, i) => i);
    expect(problemsOf(many, numbers)).toHaveLength(1000);
    expect(() => many.parse(numbers, { source: 'x' })).toThrow(/\/29 must be .*\n {2}and 970 more\.$/);
  });
});

describe('hints', () => {
  test('suggest a near key, and list the known keys where none is near', () => {
    expect(problemsOf(training, { steps: 1, learning_rate: 1 })).toEqual([
      '/learning_rate is not a known key. Did you mean "learningRate"?',
    ]);
    expect(problemsOf(training, { steps: 1, sampler: { zzzzz: 1 } })).toEqual([
      '/sampler/zzzzz is not a known key. Known are "temperature", "topK".',
    ]);
    const none = defineConfig({ type: 'object', additionalProperties: false });
    expect(problemsOf(none, { a: 1 })).toEqual(['/a is not a known key. No key is allowed here.']);
  });

  test('work for unevaluated properties and for possible keys', () => {
    const open = defineConfig({ type: 'object', properties: { kind: {} }, unevaluatedProperties: false });
    expect(problemsOf(open, { knid: 1 })).toEqual(['/knid is not a known key. Did you mean "kind"?']);
    const names = defineConfig({ type: 'object', propertyNames: { pattern: '^[a-z]+$' } });
    expect(problemsOf(names, { 'A/~': 1 })).toEqual([
      '/A~1~0 is not a possible key: a key must be a value (matching /^[a-z]+$/).',
    ]);
  });
});

describe('alternatives', () => {
  const reward = defineConfig({
    $defs: { id: { type: 'string', minLength: 2 } },
    type: 'object',
    properties: {
      before: { type: 'integer' },
      reward: {
        anyOf: [
          { $ref: '#/$defs/id' },
          {
            type: 'object',
            properties: { id: { $ref: '#/$defs/id' }, weight: { type: 'number' } },
            required: ['id'],
            additionalProperties: false,
          },
        ],
      },
    },
  });

  test('make one problem, with the reasons of the branch that came further', () => {
    expect(problemsOf(reward, { before: 'x', reward: 5 })).toEqual([
      '/before must be an integer, but is "x".',
      '/reward must be a string (at least 2 characters) or an object, but is 5.',
    ]);
    expect(problemsOf(reward, { reward: { id: 'gvu', weight: 'much' } })).toEqual([
      '/reward must be a string (at least 2 characters) or an object, but is an object with the keys ["id","weight"]. /reward/weight must be a number, but is "much".',
    ]);
  });

  test('that exclude each other say so', () => {
    const both = defineConfig({ oneOf: [{ type: 'integer' }, { type: 'number', minimum: 0 }] });
    expect(problemsOf(both, 3)).toEqual([
      ' fits more than one of its alternatives: an integer or a number (at least 0).',
    ]);
    expect(problemsOf(both, 'x')).toEqual([' must be an integer or a number (at least 0), but is "x".']);
  });

  test('by condition report the branch only', () => {
    const conditional = defineConfig({
      type: 'object',
      if: { properties: { kind: { const: 'http' } }, required: ['kind'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { required: ['url'] },
    });
    expect(problemsOf(conditional, { kind: 'http' })).toEqual(['/url is missing.']);
  });
});

describe('hostile values', () => {
  test('a __proto__ key is refused and pollutes nothing', () => {
    const open = defineConfig({ type: 'object' });
    const value: unknown = JSON.parse('{"a": {"__proto__": {"polluted": true}}, "__proto__": {"polluted": true}}');
    expect(problemsOf(open, value)).toEqual([
      '/a/__proto__ is not allowed as a key.',
      '/__proto__ is not allowed as a key.',
    ]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('inherited names do not count as present', () => {
    const odd = defineConfig({ type: 'object', required: ['toString', 'constructor'] });
    expect(problemsOf(odd, {})).toHaveLength(2);
    expect(problemsOf(training, { steps: 1, constructor: 1 })[0]).toContain('/constructor is not a known key.');
  });

  test.each([
    ['NaN', { steps: Number.NaN }, '/steps must be finite, but is NaN.'],
    ['bigint', { steps: 1n }, '/steps must be JSON, but is a bigint.'],
    ['function', { steps: () => 1 }, '/steps must be JSON, but is a function.'],
    ['symbol', { steps: Symbol('x') }, '/steps must be JSON, but is a symbol.'],
    ['class instance', { steps: new Date(0) }, '/steps must be a plain object, but is a Date.'],
    ['map', { steps: new Map() }, '/steps must be a plain object, but is a Map.'],
  ])('%s is refused once', (_, value, problem) => {
    // The place that was refused is absent from the copy: only `required` speaks of it, at the same pointer.
    expect(problemsOf(training, value)).toEqual([problem]);
  });

  test('cycles and bottomless nesting are refused', () => {
    const open = defineConfig(true);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(problemsOf(open, cycle)).toEqual(['/self must not contain itself.']);
    const deep: unknown = JSON.parse('['.repeat(5000) + ']'.repeat(5000));
    expect(problemsOf(open, deep)[0]).toContain('must not be nested deeper than 100 levels.');
  });

  test('any JSON value passes an open schema unchanged, and none crashes a closed one', () => {
    const open = defineConfig(true);
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        const parsed: unknown = JSON.parse(text);
        if (text.includes('__proto__')) return;
        expect(JSON.stringify(open.parse(parsed, { source: 'x' }))).toBe(text);
        try {
          training.parse(parsed, { source: 'x' });
        } catch (error) {
          if (!isGvuError(error, 'GVU_CONFIG_INVALID')) throw error;
        }
      }),
      { seed: 20261123, numRuns: 500 },
    );
  });
});

describe('schemas', () => {
  const problems = (schema: unknown): string[] =>
    problemsThrown(() => compileConfig(schema, { source: 'The options of plugin x' }), 'GVU_CONFIG_SCHEMA');

  test('that are wrong are refused with every problem', () => {
    expect(problems({ type: 'objct', minimum: 'three', properties: { a: 5 } })).toMatchInlineSnapshot(`
      [
        "/properties/a must be an object or true or false, but is 5.",
        "/type must be one of "array", "boolean", "integer", "null", "number", "object", "string" or an array (at least 1 item, no item twice), but is "objct". Did you mean "object"?",
        "/minimum must be a number, but is "three".",
      ]
    `);
    expect(() => compileConfig({ type: 'objct' }, { source: 'The options of plugin x' })).toThrow(
      'GVU_CONFIG_SCHEMA: The options of plugin x is not a valid JSON Schema.',
    );
  });

  test.each([
    ['not a schema', 5],
    ['missing', undefined],
    ['null', null],
    ['a function inside', { type: 'object', properties: { a: () => 1 } }],
    ['an unknown keyword', { type: 'object', propertis: {} }],
    ['an unknown format', { type: 'string', format: 'no-such-format' }],
    ['a broken pattern', { type: 'string', pattern: '(' }],
    ['a reference to nothing', { $ref: '#/$defs/none' }],
    ['a reference to the network', { $ref: 'https://example.org/schema.json' }],
    ['another dialect', { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' }],
    ['an asynchronous schema', { $async: true, type: 'object' }],
    ['a default that would have no effect', { anyOf: [{ properties: { a: { default: 1 } } }] }],
  ])('with %s are refused', (_, schema) => {
    expect(problems(schema).length).toBeGreaterThan(0);
  });

  test('may share an $id without disturbing each other', () => {
    const first = compileConfig({ $id: 'https://example.org/x', type: 'string' }, { source: 'a' });
    const second = compileConfig({ $id: 'https://example.org/x', type: 'number' }, { source: 'b' });
    expect(first.parse('s', { source: 'x' })).toBe('s');
    expect(second.parse(1, { source: 'x' })).toBe(1);
  });

  test('that are changed afterwards keep validating as they were', () => {
    const schema: Record<string, unknown> = { type: 'object', properties: { a: { type: 'string' } } };
    const config = compileConfig(schema, { source: 'x' });
    schema.properties = {};
    expect(problemsOf(config, { a: 1 })).toHaveLength(1);
  });
});
