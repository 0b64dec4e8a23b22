import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tagBalance } from '../../test/tag-balance.ts';
import { Html, html, shortened, visible } from './html.ts';

const seed = 20260703;

test('escapes what is put into text and attributes, and leaves HTML alone', () => {
  const hostile = `"><script>alert('&')</script>`;
  expect(html`<a title="${hostile}">${hostile}</a>`.text).toBe(
    '<a title="&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;">&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;</a>',
  );
  expect(html`${new Html('<b>')}${[html`<i>`, 3, 'a&b']}${null}${false}`.text).toBe('<b><i>3a&amp;b');
});

test(`no text opens or closes a tag (seed ${seed})`, () => {
  const text = fc.string({ unit: fc.constantFrom(...'<>/&"\'=ab! -\u0000\u202e\ud800') });
  fc.assert(
    fc.property(text, text, (title, inner) => {
      const { text: page } = html`<p title="${title}">${inner}</p>`;
      expect(tagBalance(page)).toEqual([]);
      expect(page.match(/[<>]/g)).toHaveLength(4);
    }),
    { seed },
  );
});

test('shows what would be invisible or turn the text around', () => {
  expect(visible('a\u0000\u202eb\ud800c\n\td')).toBe('a\ufffd\ufffdb\ufffdc\n\td');
  expect(visible('héllo 你好 👩‍👩‍👧')).toBe('héllo 你好 👩‍👩‍👧');
});

test('shortens by characters', () => {
  expect(shortened('👍👍👍', 3)).toBe('👍👍👍');
  expect(shortened('👍👍👍👍', 3)).toBe('👍👍…');
});
