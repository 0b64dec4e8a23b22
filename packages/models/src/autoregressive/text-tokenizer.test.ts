import { expect, it } from 'vitest';
import { createTextTokenizer, type TokenizerSource } from './text-tokenizer.ts';

/** Words of one letter each, and two added tokens: one that the tokenizer calls special, one that only the model knows to be. */
const source: TokenizerSource = {
  json: {
    version: '1.0',
    added_tokens: [
      { id: 3, content: '<end>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
      {
        id: 4,
        content: '<image-0>',
        special: false,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: { '[UNK]': 0, a: 1, b: 2 }, unk_token: '[UNK]' },
  },
  config: { eos_token: '<end>', bos_token: { content: '<begin>' }, unk_token: '[UNK]' },
  template: '{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}',
  source: 'a test',
};
const tokenizer = createTextTokenizer(source, { isControl: (id) => id >= 4 });

it('encodes texts, control tokens included, and finds tokens by name', () => {
  expect(tokenizer.encode('a b<end>')).toEqual([1, 2, 3]);
  expect(tokenizer.encode('')).toEqual([]);
  expect(tokenizer.decode([])).toBe('');
  expect([tokenizer.idOf('<image-0>'), tokenizer.idOf('<none>')]).toEqual([4, undefined]);
});

it('takes texts of users only without control tokens', () => {
  expect(tokenizer.encodePlain('b a')).toEqual([2, 1]);
  for (const [text, problem] of [
    ['', /empty/],
    ['a<end>', /'<end>'/],
    ['a <image-0> b', /'<image-0>'/],
    [' ', /empty/],
    ['a c', /"a c" has characters that the tokenizer does not know: it makes "a \[UNK\]" of it/],
  ] as const)
    expect(() => tokenizer.encodePlain(text)).toThrowError(problem);
});

it('renders conversations with the names of its own tokens', () => {
  expect(tokenizer.chat([{ role: 'user', content: 'a' }])).toBe('<begin>user: a<end>');
});

it.each([
  ['no template', { template: undefined }, /no chat template/],
  ['a template that fails', { template: '{{ none.of.this() }}' }, /chat template of a test cannot be used/],
  [
    'a template that reaches out',
    { template: '{{ messages.constructor.constructor("return 1")() }}' },
    /not a function/,
  ],
  [
    'a template that would fill the memory',
    { template: '{% for i in range(10000000000) %}x{% endfor %}' },
    /did not end/,
  ],
  ['a template that says too much', { template: '{% for i in range(3000000) %}x{% endfor %}' }, /did not end/],
])('has a code for %s', (_, change, message) => {
  const other = createTextTokenizer({ ...source, ...change });
  const error = expect.objectContaining({ code: 'GVU_MODEL_TOKENIZER', message: expect.stringMatching(message) });
  expect(() => other.chat([{ role: 'user', content: 'a' }])).toThrowError(error);
});

it.each([
  ['an unknown kind of model', { json: { ...source.json, model: { type: 'Other' } } }, /The tokenizer of a test/],
  ['a template that cannot be parsed', { template: '{% for %}' }, /The chat template of a test/],
])('refuses %s', (_, change, message) => {
  expect(() => createTextTokenizer({ ...source, ...change })).toThrowError(message);
});

const { model, added_tokens: added } = source.json as { model: object; added_tokens: readonly object[] };
const vocab = { '[UNK]': 0, a: 1, b: 2 };

it.each([
  ['no model', { model: undefined }, /its vocabulary has no token/],
  ['no words', { model: { ...model, vocab: {} } }, /its vocabulary has no token/],
  ['words without ids', { model: { ...model, vocab: ['a', 'b'] } }, /the token with the id 0 has no name/],
  [
    'an id that is a text',
    { model: { ...model, vocab: { ...vocab, c: '5' } } },
    /'c' has the id "5", which is no whole/,
  ],
  ['an id below 0', { model: { ...model, vocab: { ...vocab, c: -1 } } }, /'c' has the id -1, which is no whole/],
  ['an id in between', { model: { ...model, vocab: { ...vocab, c: 1.5 } } }, /'c' has the id 1.5, which is no whole/],
  [
    'an id that the model does not know',
    { model: { ...model, vocab: { ...vocab, c: 5 } } },
    /'c' has the id 5, and .* 5/,
  ],
  ['two words with one id', { model: { ...model, vocab: { ...vocab, c: 2 } } }, /'b' and 'c' have the same id 2/],
  ['a word with two ids', { added_tokens: [...added, { id: 0, content: 'a' }] }, /'a' has the ids 1 and 0/],
  [
    'an added token in place of a word',
    { added_tokens: [{ id: 1, content: '<x>' }] },
    /'a' and '<x>' have the same id 1/,
  ],
])('refuses a vocabulary with %s', (_, change, message) => {
  const open = () => createTextTokenizer({ ...source, json: { ...source.json, ...change } }, { vocabulary: 5 });
  const error = expect.objectContaining({ code: 'GVU_MODEL_TOKENIZER', message: expect.stringMatching(message) });
  expect(open).toThrowError(error);
});
