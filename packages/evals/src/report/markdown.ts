/** The report of a run as Markdown: the same numbers as the page, without pictures. */
import { compareExams } from '../exam-comparison.ts';
import { factsOf } from '../run-facts.ts';
import type { RunRecord } from '../run-record.ts';
import { comparisonNote, comparisonOf, comparisonTable, examTable, singleTable } from '../score-table.ts';
import { shortened } from './html.ts';
import { escapeMarkdown, markdownTable } from './tables.ts';

export function reportMarkdown(record: RunRecord): string {
  const { started, startedAt, evaluations, exams, guards } = record;
  const facts = [...factsOf(record), { label: 'started', text: startedAt }];
  const examRows = compareExams(exams);
  const blocks = [
    `# ${escapeMarkdown(shortened(started.run, 200))}`,
    facts.map(({ label, text }) => `- ${label}: ${escapeMarkdown(shortened(text, 1000))}`).join('\n'),
    '## Result',
    ...resultBlocks(evaluations),
    ...(examRows.length > 0 ? ['## Reading', markdownTable(examTable(examRows))] : []),
    ...(guards.length > 0
      ? [
          '## Guards',
          guards
            .slice(-50)
            .map(
              ({ step, guard, level, message }) =>
                `- Step ${step}, ${level}: ${escapeMarkdown(shortened(`${guard}: ${message}`, 500))}`,
            )
            .join('\n'),
        ]
      : []),
    '## Configuration',
    fenced(JSON.stringify(started.config, null, 2)),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function resultBlocks(evaluations: RunRecord['evaluations']): string[] {
  const last = evaluations.at(-1);
  if (!last) return ['No evaluation was made: whether the model got better is not known.'];
  const comparison = comparisonOf(evaluations);
  if (comparison) {
    const { verdict } = comparison;
    return [
      `**${escapeMarkdown(verdict.text)}**`,
      markdownTable(comparisonTable(comparison)),
      escapeMarkdown(comparisonNote(comparison)),
    ];
  }
  const table = singleTable(last);
  const text = `One evaluation that counts, at step ${last.step}, by ${escapeMarkdown(last.score)}: there is nothing to compare it with.`;
  return table ? [text, markdownTable(table)] : [text];
}

/** In a fence that is longer than any within. */
function fenced(json: string): string {
  const longest = Math.max(2, ...[...json.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}json\n${shortened(json, 200_000)}\n${fence}`;
}
