/** The report of a reproduction as one HTML page without script or request, and as Markdown with the same words and tables. */
import { type Html, html } from '../report/html.ts';
import { style } from '../report/style.ts';
import { escapeMarkdown, htmlTable, markdownTable } from '../report/tables.ts';
import type { TextTable } from '../score-table.ts';
import type { Fact } from './facts.ts';
import { type Section, type SectionTable, textOf } from './section.ts';

const title = 'GvU in miniature';
const about =
  "The tables and figures of the GvU paper (arXiv 2603.06043), made again by one command on a small world of shapes with a model of some two million weights. It does not reproduce the paper's numbers, which are of a model of seven billion; it shows what the method does where everything can be measured, and adds what the paper leaves out. Sentences below “seen” are computed: rise, fall and order are only said where the interval leaves out zero.";

export function reproductionPage(sections: readonly Section[], facts: readonly Fact[]): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${title}</h1><p>${about}</p>
<dl>${facts.map(({ label, text }) => html`<dt>${label}</dt><dd>${text}</dd>`)}</dl></header>
<main>
${sections.map(sectionHtml)}
</main>
</body>
</html>
`;
  return page.text;
}

function sectionHtml({ title: heading, mirrors, adds, seen, tables, figures }: Section): Html {
  const charts = figures.filter(({ text }) => text.startsWith('<figure'));
  const others = figures.filter((figure) => !charts.includes(figure));
  return html`<section><h2>${heading}</h2>
<p class="note">Mirrors: ${mirrors}</p><p class="note">Adds: ${adds}</p>
${seen.length > 0 && html`<h3>Seen</h3><ul>${seen.map((sentence) => html`<li>${sentence}</li>\n`)}</ul>`}
${tables.map((table) => html`<h3>${table.title}</h3>${htmlTable(textTable(table))}<p class="note">${table.note}${runsText(table)}</p>\n`)}
${charts.length > 0 && html`<div class="charts">${charts}</div>`}${others}</section>
`;
}

export function reproductionMarkdown(sections: readonly Section[], facts: readonly Fact[]): string {
  const blocks = [
    `# ${title}`,
    escapeMarkdown(about),
    facts.map(({ label, text }) => `- ${escapeMarkdown(label)}: ${escapeMarkdown(text)}`).join('\n'),
    ...sections.flatMap(({ title: heading, mirrors, adds, seen, tables }) => [
      `## ${escapeMarkdown(heading)}`,
      `Mirrors: ${escapeMarkdown(mirrors)}`,
      `Adds: ${escapeMarkdown(adds)}`,
      ...(seen.length > 0 ? [`Seen:\n\n${seen.map((sentence) => `- ${escapeMarkdown(sentence)}`).join('\n')}`] : []),
      ...tables.flatMap((table) => [
        `### ${escapeMarkdown(table.title)}`,
        markdownTable(textTable(table)),
        escapeMarkdown(`${table.note}${runsText(table)}`),
      ]),
    ]),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function textTable({ head, rows, total }: SectionTable): TextTable {
  return { head, rows: rows.map((row) => row.map(textOf)), total };
}

/** From which runs the numbers of a table are, by columns that have the same. */
function runsText({ head, rows }: SectionTable): string {
  const columns = new Map<string, Set<string>>();
  for (const row of rows)
    for (const [i, cell] of row.entries()) {
      if (typeof cell === 'string') continue;
      const known = columns.get(head[i] ?? '') ?? new Set();
      columns.set(head[i] ?? '', known);
      for (const run of cell.runs) known.add(run);
    }
  // Where the rows are runs, the first column names them.
  if (
    columns.size === 0 ||
    rows.every(([first]) => [...columns.values()].some((known) => known.has(textOf(first ?? ''))))
  )
    return '';
  const byRuns = new Map<string, string[]>();
  for (const [column, known] of columns) {
    const runs = [...known].join(', ');
    byRuns.set(runs, [...(byRuns.get(runs) ?? []), column]);
  }
  const lists = [...byRuns].map(([runs, own]) => (byRuns.size === 1 ? runs : `${own.join(', ')}: ${runs}`));
  return ` Runs: ${lists.join('; ')}.`;
}
