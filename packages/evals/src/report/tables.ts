/** The tables of a run in HTML and in Markdown. */
import type { TextTable } from '../score-table.ts';
import { type Html, html, shortened, visible } from './html.ts';

/** A page with more rows is no table that anybody reads. */
const mostRows = 100;

export function htmlTable(table: TextTable): Html {
  const { head, rows, total } = clipped(table);
  return html`<div class="scroll" tabindex="0"><table><thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows.map((row, i) => html`<tr${total && i === rows.length - 1 && html` class="sum"`}>${row.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody></table></div>`;
}

export function markdownTable(table: TextTable): string {
  const { head, rows, total } = clipped(table);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row, i) => {
      const cells = row.map(escapeMarkdown);
      return line(total && i === rows.length - 1 ? cells.map((cell) => `**${cell}**`) : cells);
    }),
  ].join('\n');
}

/** Text that Markdown shows as it is: on one line, its punctuation escaped. */
export function escapeMarkdown(text: string): string {
  return visible(text)
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_{}[\]<>()#|~&!]/g, '\\$&')
    .replace(/:\/\//g, '\\://');
}

function clipped({ head, rows, total }: TextTable): TextTable {
  const short = rows.map((row) => row.map((cell) => shortened(cell, 100)));
  if (short.length <= mostRows) return { head, rows: short, total };
  const last = total ? short.slice(-1) : [];
  const kept = short.slice(0, mostRows - last.length);
  const left = short.length - mostRows;
  return { head, rows: [...kept, [`and ${left} more`, ...head.slice(1).map(() => '')], ...last], total };
}
