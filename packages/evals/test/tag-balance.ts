/** A strict look at the tags of a page, as far as this project writes them: all closed in order, attributes quoted, nothing unescaped. */

const voidTags = new Set(['meta', 'img', 'br']);

/** What is wrong with the tags, empty when nothing is. Elements of SVG may close themselves. */
export function tagBalance(page: string): string[] {
  const problems: string[] = [];
  const open: string[] = [];
  const text = page.replace(/^<!doctype html>\n/, '').replace(/(<style>)[^<]*(<\/style>)/, '$1$2');
  const tag = /<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z0-9:-]+="[^"<>]*")*) ?(\/?)>/g;
  for (const [, closing, name = '', , selfClosing] of text.matchAll(tag)) {
    if (closing) {
      const expected = open.pop();
      if (expected !== name) problems.push(`</${name}> closes <${expected}>`);
    } else if (!selfClosing && !voidTags.has(name)) open.push(name);
  }
  const rest = text.replace(tag, '');
  if (/[<>]/.test(rest)) problems.push(`not a tag: ${rest.slice(rest.search(/[<>]/), rest.search(/[<>]/) + 60)}`);
  if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(rest)) problems.push('an ampersand is not escaped');
  return [...problems, ...open.map((name) => `<${name}> is not closed`)];
}
