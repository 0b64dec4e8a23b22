/**
 * The report of a comparison: `report/index.html`, one page that needs no network and no script, `report/index.md` with the same numbers,
 * and the same as text. Each number follows from the run folders that the report names.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evalsErrors } from '../errors.ts';
import { type Html, html, shortened } from '../report/html.ts';
import { style } from '../report/style.ts';
import { escapeMarkdown, htmlTable, markdownTable } from '../report/tables.ts';
import { replaceFile } from '../report.ts';
import { readRun } from '../run-record.ts';
import { layOut, plain, type SummaryOptions, wrap } from '../summary-text.ts';
import type { ComparedRun } from './compared-runs.ts';
import { compareRewards, type RewardComparison } from './comparison.ts';
import { comparisonCharts } from './curves.ts';
import { comparisonTables } from './tables.ts';

/** Where a run of a comparison is. */
export interface RunPlace {
  readonly arm: string;
  readonly seed: number;
  /** Relative to the folder of the comparison. */
  readonly folder: string;
}

/** @throws GVU_REPORT_RUN, GVU_LOG_CORRUPT, GVU_EVALS_COMPARISON */
export async function readComparison(folder: string, places: readonly RunPlace[]): Promise<RewardComparison> {
  const runs: ComparedRun[] = [];
  for (const { arm, seed, folder: place } of places)
    runs.push({ arm, seed, folder: place, record: await readRun(join(folder, place)) });
  return compareRewards(runs);
}

/**
 * Writes the report of a comparison below its folder and returns the path of the page.
 * @throws GVU_REPORT_WRITE
 */
export async function writeComparison(folder: string, comparison: RewardComparison): Promise<string> {
  const directory = join(folder, 'report');
  const page = join(directory, 'index.html');
  try {
    await mkdir(directory, { recursive: true });
    await replaceFile(join(directory, 'index.md'), comparisonMarkdown(comparison));
    await replaceFile(page, comparisonPage(comparison));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw evalsErrors.error('GVU_REPORT_WRITE', `The report was not written: ${reason}.`, {
      hint: 'Free the cause (disk full, no permission) and write it again; the runs are not touched by it.',
      cause,
    });
  }
  return page;
}

function titleOf({ arms }: RewardComparison): string {
  return `Comparison of ${arms.map(({ arm }) => arm).join(', ')}`;
}

function sourceLine({ folder, record: { started, ended } }: ComparedRun): string {
  const { backend } = started;
  return `${folder}: ${backend.name} ${backend.version}, ${ended ? `${ended.reason} after step ${ended.step}` : 'not ended'}`;
}

function comparisonPage(comparison: RewardComparison): string {
  const { verdict, runs, score } = comparison;
  const title = shortened(titleOf(comparison), 200);
  const tables = comparisonTables(comparison).map(
    ({ title: heading, table, note }): Html =>
      html`<section><h2>${heading}</h2>${htmlTable(table)}<p class="note">${note}</p></section>\n`,
  );
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${shortened(title, 80)} · GvU</title>
<style>${style}</style>
</head>
<body>
<header><h1>${title}</h1></header>
<main>
<section><h2>Result</h2><ul>${verdict.map((sentence) => html`<li>${sentence}</li>\n`)}</ul></section>
${tables}
${comparisonCharts(runs, score)}
<section><h2>Runs</h2><ul>${runs.map((run) => html`<li>${sourceLine(run)}</li>\n`)}</ul></section>
</main>
</body>
</html>
`;
  return page.text;
}

function comparisonMarkdown(comparison: RewardComparison): string {
  const blocks = [
    `# ${escapeMarkdown(titleOf(comparison))}`,
    comparison.verdict.map((sentence) => `- ${escapeMarkdown(sentence)}`).join('\n'),
    ...comparisonTables(comparison).flatMap(({ title, table, note }) => [
      `## ${escapeMarkdown(title)}`,
      markdownTable(table),
      escapeMarkdown(note),
    ]),
    '## Runs',
    comparison.runs.map((run) => `- ${escapeMarkdown(sourceLine(run))}`).join('\n'),
  ];
  return `${blocks.join('\n\n')}\n`;
}

/** The same for a terminal or a pipe, without a newline at the end. */
export function comparisonText(comparison: RewardComparison, options: SummaryOptions): string {
  const lines = (text: string) => wrap(plain(text), options.width).join('\n');
  return [
    ...comparisonTables(comparison).map(({ title, table, note }) =>
      [lines(title), layOut(table, options), lines(note)].join('\n'),
    ),
    comparison.verdict.map(lines).join('\n'),
  ].join('\n\n');
}
