/**
 * The report of a reproduction: `index.html`, one page that needs no network and no script, `index.md` with the same words and tables, and
 * `report.json` with every number, its interval and the runs that it was computed from.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evalsErrors } from '../errors.ts';
import { replaceFile } from '../report.ts';
import { ablationSection } from './ablations.ts';
import { type Fact, reproductionFacts } from './facts.ts';
import { gainSection } from './gains.ts';
import { reproductionMarkdown, reproductionPage } from './page.ts';
import { pictureSection } from './pictures.ts';
import { readingSection } from './reading.ts';
import type { Reproduction } from './reproduction.ts';
import { rewardSection } from './rewards.ts';
import { runSection } from './run-list.ts';
import { scoreSection } from './scores.ts';
import type { Section } from './section.ts';
import { trainingSection } from './training.ts';
import { wordSection } from './words.ts';

export interface ReproductionReport {
  readonly page: string;
  readonly markdown: string;
  readonly json: string;
}

export interface ReportOptions {
  /** Of the runs. */
  readonly folder: string;
  /** Where the report goes. */
  readonly directory: string;
  /** What the report cannot know from the runs: the command, the machine. */
  readonly facts: readonly Fact[];
}

/** The paths of what was written. @throws GVU_REPORT_WRITE */
export async function writeReproduction(
  reproduction: Reproduction,
  { folder, directory, facts }: ReportOptions,
): Promise<ReproductionReport> {
  const sections = await sectionsOf(folder, reproduction);
  const allFacts = [...facts, ...reproductionFacts(reproduction)];
  const written = {
    page: join(directory, 'index.html'),
    markdown: join(directory, 'index.md'),
    json: join(directory, 'report.json'),
  };
  try {
    await mkdir(directory, { recursive: true });
    await replaceFile(written.json, `${JSON.stringify(jsonOf(reproduction, sections, allFacts), null, 1)}\n`);
    await replaceFile(written.markdown, reproductionMarkdown(sections, allFacts));
    await replaceFile(written.page, reproductionPage(sections, allFacts));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw evalsErrors.error('GVU_REPORT_WRITE', `The report was not written: ${reason}.`, {
      hint: 'Free the cause (disk full, no permission) and write it again; the runs are not touched by it.',
      cause,
    });
  }
  return written;
}

async function sectionsOf(folder: string, reproduction: Reproduction): Promise<readonly Section[]> {
  const { arms, groups, words } = reproduction;
  return [
    ...(arms.length === 0
      ? []
      : [
          ...groups.map((group) => scoreSection(reproduction, group)),
          trainingSection(reproduction),
          await pictureSection(folder, reproduction),
          gainSection(reproduction),
          rewardSection(reproduction),
        ]),
    ...(words.length === 0 ? [] : [wordSection(reproduction)]),
    ...(arms.length === 0 ? [] : [readingSection(reproduction), ablationSection(reproduction)]),
    runSection(reproduction),
  ];
}

/** Numbers in their own unit, not in points; intervals as the tables show them. */
function jsonOf({ arms, missing }: Reproduction, sections: readonly Section[], facts: readonly Fact[]) {
  return {
    format: 1,
    facts: Object.fromEntries(facts.map(({ label, text }) => [label, text])),
    missing,
    runs: arms.flatMap(({ arm, title, base, role, runs }) =>
      runs.map(({ seed, folder, record: { started, startedAt, ended } }) => ({
        folder,
        arm,
        title,
        base,
        role,
        seed,
        startedAt,
        ended,
        backend: started.backend,
        versions: started.versions,
        config: started.config,
      })),
    ),
    sections: sections.map(({ title, mirrors, adds, seen, tables }) => ({
      title,
      mirrors,
      adds,
      seen,
      tables: tables.map(({ title: table, note, head, rows }) => ({
        title: table,
        note,
        values: rows.flatMap((cells) =>
          cells.flatMap((cell, i) => {
            if (typeof cell === 'string') return [];
            const [row] = cells;
            return [
              {
                row: typeof row === 'string' ? row : '',
                column: head[i] ?? '',
                text: cell.text,
                ...cell.estimate,
                runs: cell.runs,
              },
            ];
          }),
        ),
      })),
    })),
  };
}
