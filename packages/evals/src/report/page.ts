/** The report of a run as one HTML page: no script, no request, everything within. */

import { compareExams } from '../exam-comparison.ts';
import { factsOf } from '../run-facts.ts';
import type { RunRecord } from '../run-record.ts';
import { comparisonNote, comparisonOf, comparisonTable, examTable, singleTable } from '../score-table.ts';
import { chartsSection } from './charts.ts';
import { drawingsSection, stripsSection } from './drawings.ts';
import { type Html, html, shortened } from './html.ts';
import { Pictures } from './pictures.ts';
import { style } from './style.ts';
import { htmlTable } from './tables.ts';
import { tracesSection } from './traces.ts';

/** Of the data URIs, so that a page stays below 5 MB. */
const pictureBudget = 3_500_000;
const mostConfig = 200_000;
const mostGuards = 50;

export async function reportPage(record: RunRecord, folder: string): Promise<string> {
  const { started, startedAt } = record;
  const pictures = new Pictures(folder, {
    budget: pictureBudget,
    width: started.image.width,
    height: started.image.height,
  });
  // One after the other: the budget goes to what comes first.
  const drawings = await drawingsSection(record, pictures);
  const traces = await tracesSection(record, pictures);
  const strips = await stripsSection(record, pictures);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${shortened(started.run, 80)} · GvU</title>
<style>${style}</style>
</head>
<body>
<header><h1>${shortened(started.run, 200)}</h1>
<dl>${factsOf(record).map(({ label, text }) => html`<dt>${label}</dt><dd>${shortened(text, 1000)}</dd>`)}<dt>started</dt><dd>${startedAt}</dd></dl></header>
<main>
${scoreSection(record)}
${examSection(record)}
${chartsSection(record)}
${drawings}
${traces}
${strips}
${guardSection(record)}
${configSection(record)}
${pictures.leftOut > 0 && html`<p class="note">${pictures.leftOut} pictures are not shown: they could not be read, or the page would have become too large.</p>`}
</main>
</body>
</html>
`;
  return page.text;
}

function scoreSection({ evaluations }: RunRecord): Html {
  const last = evaluations.at(-1);
  if (!last)
    return html`<section><h2>Result</h2><p>No evaluation was made: whether the model got better is not known.</p></section>`;
  const comparison = comparisonOf(evaluations);
  if (!comparison) {
    const table = singleTable(last);
    return html`<section><h2>Result</h2><p>One evaluation that counts, at step ${last.step}, by ${last.score}: there is nothing to compare it with.</p>${table && htmlTable(table)}</section>`;
  }
  const { verdict } = comparison;
  return html`<section><h2>Result</h2><p class="verdict ${verdict.direction}">${verdict.text}</p>
${htmlTable(comparisonTable(comparison))}<p class="note">${comparisonNote(comparison)}</p></section>`;
}

function examSection({ exams }: RunRecord): Html {
  const rows = compareExams(exams);
  if (rows.length === 0) return html``;
  return html`<section><h2>Reading</h2>${htmlTable(examTable(rows))}
<p class="note">Right answers of 100 with 95 % intervals (Wilson; of differences by question where the log has the answers, after Agresti and Min; else Newcombe's, which takes the two sides as independent and so is too wide rather than too narrow).</p></section>`;
}

function guardSection({ guards }: RunRecord): Html {
  if (guards.length === 0) return html``;
  const items = guards
    .slice(-mostGuards)
    .map(
      ({ step, guard, level, message }) =>
        html`<li class="guard-${level}">Step ${step}, ${level}: ${guard}: ${shortened(message, 500)}</li>\n`,
    );
  return html`<section><h2>Guards</h2>${guards.length > mostGuards && html`<p>The last ${mostGuards} of ${guards.length}.</p>`}<ul>${items}</ul></section>`;
}

function configSection({ started }: RunRecord): Html {
  const json = JSON.stringify(started.config, null, 2);
  return html`<section><h2>To run it again</h2>
<p>In the folder of the run: <code>gvu train --config config.json --out ../again</code></p>
<details><summary>Configuration</summary><pre tabindex="0">${shortened(json, mostConfig)}</pre></details></section>`;
}
