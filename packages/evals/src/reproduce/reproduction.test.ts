import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { groups, places, type ReproducedFolder, reproducedFolder } from '../../test/reproduced-runs.ts';
import { tagBalance } from '../../test/tag-balance.ts';
import { gainSection } from './gains.ts';
import { writeReproduction } from './report.ts';
import { readReproduction } from './reproduction.ts';

let made: ReproducedFolder;
let report: Awaited<ReturnType<typeof written>>;
beforeAll(async () => {
  made = await reproducedFolder();
  report = await written();
}, 120_000);
afterAll(() => made[Symbol.asyncDispose]());

async function written() {
  const { folder } = made;
  const reproduction = await readReproduction(folder, { groups, places });
  const facts = [{ label: 'command', text: 'gvu reproduce' }];
  const paths = await writeReproduction(reproduction, { folder, directory: join(folder, 'report'), facts });
  const [page = '', markdown = '', json = ''] = await Promise.all(
    [paths.page, paths.markdown, paths.json].map((path) => readFile(path, 'utf8')),
  );
  return { page, markdown, json: JSON.parse(json) };
}

interface JsonSection {
  readonly title: string;
  readonly seen: readonly string[];
  readonly tables: readonly { readonly title: string; readonly values: readonly JsonValueRow[] }[];
}
interface JsonValueRow {
  readonly row: string;
  readonly column: string;
  readonly text: string;
  /** Of an estimate. */
  readonly mean: number;
  readonly interval: readonly [number, number] | null;
  readonly runs: readonly string[];
}

const sectionOf = (json: { sections: readonly JsonSection[] }, title: string): JsonSection => {
  const found = json.sections.find((section) => section.title === title);
  if (!found) throw new Error(`there is no section ${title}`);
  return found;
};
const cellOf = (section: JsonSection, row: string, column: string): JsonValueRow | undefined =>
  section.tables.flatMap(({ values }) => values).find((value) => value.row === row && value.column === column);

describe('the report of a reproduction', () => {
  test('has the known numbers, and the runs that they come from', () => {
    const { json } = report;
    const first = sectionOf(json, 'First bench by category');
    // 4 of 20 right before, 18 after; 0 before, 11 after: 70 and 55 points, 62.5 over both.
    expect(cellOf(first, 'easy', 'GvU (weak base)')?.mean).toBeCloseTo(0.7, 12);
    expect(cellOf(first, 'overall', 'GvU (weak base)')).toMatchObject({
      mean: expect.closeTo(0.625, 12),
      runs: ['weak-gvu-seed1', 'weak-gvu-seed2', 'weak-gvu-seed3'],
    });
    expect(cellOf(first, 'overall', 'GvU (weak base)')?.text).toMatch(/^72\.5 \(\+62\.5 \[/);
    expect(cellOf(first, 'overall', 'weak base')?.mean).toBeCloseTo(0.1, 12);
    expect(cellOf(sectionOf(json, 'Second bench by category'), 'overall', 'GvU (regular base)')?.mean).toBeCloseTo(
      0.15,
      12,
    );
    const gains = sectionOf(json, 'Gains from two bases');
    expect(cellOf(gains, 'overall', 'weak minus regular')?.mean).toBeCloseTo(0.625 - 0.2, 12);
    // Of 10 points before, 62.5 gained; of 37.5, 20.
    const relative = cellOf(gains, 'First bench', 'GvU (weak base): gain, %');
    expect(relative).toMatchObject({
      mean: expect.closeTo(6.25, 12),
      runs: ['weak-gvu-seed1', 'weak-gvu-seed2', 'weak-gvu-seed3'],
    });
    expect(relative).toMatchObject({ text: '+625', interval: null });
    const regular = cellOf(gains, 'First bench', 'GvU (regular base): gain, %');
    expect(regular?.mean).toBeCloseTo(0.2 / 0.375, 12);
    const [low = Number.NaN, high = Number.NaN] = regular?.interval ?? [];
    expect(low).toBeGreaterThan(0);
    // A small score before is likelier than a small gain: the interval reaches further up.
    expect(high - 0.2 / 0.375).toBeGreaterThan(0.2 / 0.375 - low);
    // Nothing was right before: no gain can be said of it.
    expect(cellOf(gains, 'Second bench', 'GvU (weak base): gain, %')).toBeUndefined();
    const words = sectionOf(json, 'What words are worth to the reward');
    expect(cellOf(words, 'count', 'change by removing')?.mean).toBeGreaterThan(0);
    expect(cellOf(words, 'count', 'change by replacing')?.mean).toBeLessThan(0);
    expect(json.runs).toHaveLength(places.length);
    const known = new Set([...places.map(({ folder }) => folder), 'words-weak', 'words-regular']);
    const values = json.sections.flatMap((section: JsonSection) => section.tables.flatMap((table) => table.values));
    expect(values.length).toBeGreaterThan(80);
    // What has no estimate is there too, with the runs that it was read off.
    expect(cellOf(words, 'count', 'whole above replaced, %')).toMatchObject({
      text: expect.stringMatching(/^100\.0 \[/),
    });
    expect(cellOf(sectionOf(json, 'The reward over training'), 'GvU (weak base)', '10')).toMatchObject({
      text: '0.495',
      runs: ['weak-gvu-seed1', 'weak-gvu-seed2', 'weak-gvu-seed3'],
    });
    expect(cellOf(sectionOf(json, 'Reading before and after'), 'reading: colours', 'weak base')?.runs).toEqual([
      'weak-gvu-seed1',
    ]);
    expect(cellOf(sectionOf(json, 'Ablations'), 'Live', 'KL')).toMatchObject({
      text: '0.0195',
      runs: ['weak-live-seed1'],
    });
    // No two numbers of a table go by the same row and column.
    for (const { tables } of json.sections)
      for (const table of tables as JsonSection['tables']) {
        const places = table.values.map(({ row, column }) => `${row} | ${column}`);
        expect(new Set(places).size, table.title).toBe(places.length);
      }
    for (const { runs } of values) {
      expect(runs.length).toBeGreaterThan(0);
      for (const run of runs) expect(known).toContain(run);
    }
  });

  test('compares the gains of the weak base with those of the regular one, whatever was trained first', async () => {
    const { folder } = made;
    const turned = await readReproduction(folder, { groups, places: places.toReversed() });
    const { json } = report;
    expect(gainSection(turned).seen).toEqual(sectionOf(json, 'Gains from two bases').seen);
    expect(gainSection(turned).seen).toEqual([
      expect.stringMatching(
        /^First bench: the gain of the weak base minus that of the regular base is above zero, \+42/,
      ),
      // Four prompts of forty were right before: they could be none of others.
      expect.stringMatching(
        /^First bench, gain in percent of the score before: weak base \+625, regular base \+53 \[\+\d+, \+\d+\]\.$/,
      ),
      expect.stringMatching(/^Second bench: the gain of the weak base minus/),
      expect.stringMatching(/^Second bench, gain in percent of the score before: weak base -, regular base \+60 \[/),
    ]);
  });

  test('says only what the intervals allow', () => {
    const { json } = report;
    const first = sectionOf(json, 'First bench by category').seen;
    expect(first).toContainEqual(
      expect.stringMatching(/^GvU \(weak base\): First bench rises, \+6[23]\.?\d* points \[/),
    );
    expect(first).toContainEqual(
      expect.stringMatching(/^Random \(weak base\): First bench shows no change that can be told/),
    );
    expect(first).toContainEqual(
      expect.stringMatching(/^First bench: GvU \(weak base\) against Random \(weak base\) ends higher/),
    );
    expect(sectionOf(json, 'What words are worth to the reward').seen).toEqual([
      expect.stringContaining('With count words removed, the reward of the weak base rises'),
      expect.stringContaining('With count words replaced, the reward of the weak base falls'),
      expect.stringContaining('With region words removed, the reward of the weak base rises'),
      expect.stringContaining('With region words replaced, the reward of the weak base falls'),
      ...['count', 'count', 'region', 'region'].map((kind) =>
        expect.stringMatching(new RegExp(`^With ${kind} words .* of the regular base`)),
      ),
    ]);
    expect(sectionOf(json, 'Ablations').seen[0]).toMatch(/^Live against the method ends lower/);
    // Every claim of a rise or a fall has an interval on that side of zero.
    const seen = json.sections.flatMap((section: JsonSection) => section.seen);
    const claims = seen.filter((sentence: string) =>
      /(rises?|higher|above zero|falls?|lower|below zero), [+-]/.test(sentence),
    );
    expect(claims.length).toBeGreaterThan(8);
    for (const sentence of claims) {
      const [, low = '', high = ''] = /\[([+-][\d.]+), ([+-][\d.]+)\]/.exec(sentence) ?? [];
      expect(/(rises?|higher|above zero), [+-]/.test(sentence) ? Number(low) > 0 : Number(high) < 0, sentence).toBe(
        true,
      );
    }
  });

  test('is one page that needs nothing else, and the same in Markdown', () => {
    const { page, markdown, json } = report;
    expect(tagBalance(page)).toEqual([]);
    expect(page).not.toMatch(/<script|https?:\/\/|url\(/);
    expect(page.length).toBeLessThan(5_000_000);
    expect(page.match(/<svg/g)?.length).toBeGreaterThan(8);
    expect(page.match(/<desc>[^<]{20,}<\/desc>/g)?.length).toBe(page.match(/<svg/g)?.length);
    expect(page.match(/<img /g)?.length).toBeGreaterThan(5);
    expect(page.match(/<img src="data:image\/png;base64,[^"]+" alt="[^"]{20,}"/g)?.length).toBe(
      page.match(/<img /g)?.length,
    );
    for (const { title } of json.sections) for (const text of [page, markdown]) expect(text).toContain(title);
    expect(markdown).toContain(
      'Runs: n, GvU \\(weak base\\): weak-gvu-seed1, weak-gvu-seed2, weak-gvu-seed3; weak base: weak-gvu-seed1;',
    );
    expect(page).not.toMatch(/NaN|undefined/);
    expect(markdown).not.toMatch(/NaN|undefined/);
  });

  test('counts runs that have not ended as missing, and names them', async () => {
    const { folder } = made;
    const log = join(folder, 'weak-live-seed1', 'events.jsonl');
    const text = await readFile(log, 'utf8');
    try {
      await writeFile(log, text.replace(/\n[^\n]*run\.ended[^\n]*\n$/, '\n'));
      await rm(join(folder, 'words-weak'), { recursive: true });
      const reproduction = await readReproduction(folder, { groups, places });
      expect(reproduction.missing).toEqual(['weak-live-seed1', 'words-weak']);
      expect(reproduction.arms.map(({ arm }) => arm)).not.toContain('weak-live');
      await writeFile(log, text.replace('1.2.3+weak', '1.2.3+other'));
      await expect(readReproduction(folder, { groups, places })).rejects.toThrow(/One base was several models/);
    } finally {
      await writeFile(log, text);
    }
  });
});
