/** Tables for people: columns of text, of which the last one is wrapped to what is left of the line. */

/** Rows of as many cells each. `width` in characters; the last column gets at least 24 of them. */
export function textTable(rows: readonly (readonly string[])[], { width }: { readonly width: number }): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: Math.max(0, columns - 1) }, (_, i) =>
    Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const indent = widths.reduce((sum, w) => sum + w + 2, 0);
  return rows
    .map((row) => {
      const head = widths.map((w, i) => `${(row[i] ?? '').padEnd(w)}  `).join('');
      const lines = wrap(row[columns - 1] ?? '', Math.max(24, width - indent));
      return `${head}${lines.join(`\n${' '.repeat(indent)}`)}`.trimEnd();
    })
    .join('\n');
}

/** Lines of at most `width` characters, broken at spaces; a word that is longer has a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
