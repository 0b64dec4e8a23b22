/**
 * The benchmarks that are one table: GQA, MMBench, SEED-Bench, DocVQA, OCRBench, MMT-Bench.
 * Source of tables and scores: open-compass/VLMEvalKit @ e8e78f0. The sentences added to questions are GvU's own; they are an option.
 */
import { anls, chosenOption, contains, matchesExactly } from './matching.ts';
import type { Row, TableKind } from './table.ts';

const source = 'VLMEvalKit @ e8e78f0';
const shortAnswer = 'Answer with one word or a short phrase.';

/** D. Hudson and C. Manning, "GQA", CVPR 2019. */
export const gqa: TableKind = {
  name: 'gqa',
  source,
  columns: [],
  defects: [{ id: 'full-stop', what: 'Punctuation, articles and number words make an answer wrong.' }],
  instruction: shortAnswer,
  maxTokens: 16,
  text: (row) => row.question ?? '',
  reference: (row) => row.answer || undefined,
  score: (answer, reference, { mode }) => (matchesExactly(answer, String(reference), mode) ? 1 : 0),
};

/** M. Mathew et al., "DocVQA", WACV 2021. */
export const docVqa: TableKind = {
  ...gqa,
  name: 'docvqa',
  defects: [{ id: 'raw-length', what: 'Distances are divided by lengths before spaces are normalised.' }],
  maxTokens: 64,
  reference: listReference,
  score: (answer, reference, { mode }) => anls(answer, strings(reference), mode),
};

const formulas = 'Handwritten Mathematical Expression Recognition';

/** Y. Liu et al., "OCRBench", 2024. The official score is out of 1000: ten times the points here. */
export const ocrBench: TableKind = {
  ...gqa,
  name: 'ocrbench',
  defects: [{ id: 'within-words', what: 'An answer within a longer word or number is right.' }],
  instruction: '',
  maxTokens: 128,
  reference: listReference,
  score: (answer, reference, { mode, tag }) =>
    contains(answer, strings(reference), { formula: tag === formulas, mode }) ? 1 : 0,
};

const letters = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'];

const multipleChoice: TableKind = {
  name: '',
  source,
  columns: ['A', 'B'],
  defects: [{ id: 'article-a', what: 'The article "A" at the beginning of an answer is taken for option A.' }],
  instruction: 'Answer with the letter of the right option alone.',
  maxTokens: 16,
  text: (row) => {
    const hint = row.hint ? `Hint: ${row.hint}\n` : '';
    const options = Object.entries(optionsOf(row)).map(([letter, text]) => `${letter}. ${text}`);
    return `${hint}Question: ${row.question ?? ''}\nOptions:\n${options.join('\n')}`;
  },
  reference: (row) => (row.answer ? { answer: row.answer.trim(), options: optionsOf(row) } : undefined),
  score: (answer, reference, { mode }) => {
    const { right, options } = choiceOf(reference);
    return chosenOption(answer, options, mode) === right ? 1 : 0;
  },
};

/** B. Li et al., "SEED-Bench", CVPR 2024: its questions about images. */
export const seedBench: TableKind = { ...multipleChoice, name: 'seed-bench' };

/** K. Ying et al., "MMT-Bench", ICML 2024. Categories have 20 to 80 questions: look at their intervals. */
export const mmtBench: TableKind = { ...multipleChoice, name: 'mmt-bench' };

/** Rows of one question in other orders have indices that differ by millions. */
const rotationStep = 1_000_000;

/** Y. Liu et al., "MMBench", ECCV 2024: right only if right under every rotation of the options. */
export const mmBench: TableKind = {
  ...multipleChoice,
  name: 'mmbench',
  group: ({ index = '' }) => (/^\d+$/.test(index) ? String(Number(index) % rotationStep) : index),
  // The published table has the rotations as rows; one without them is turned here.
  variants: (row, expanded) => (expanded ? [row] : rotations(row)),
};

/** The row with its options in every cyclic order, the right answer moved with them. */
export function rotations(row: Row): readonly Row[] {
  const texts = Object.values(optionsOf(row));
  const right = letters.indexOf((row.answer ?? '').trim());
  return texts.map((_, by) => {
    const turned = texts.map((_text, i) => [letters[i] ?? '', texts[(i + by) % texts.length] ?? '']);
    const answer = right < 0 ? '' : (letters[(right - by + texts.length) % texts.length] ?? '');
    return { ...row, ...Object.fromEntries(turned), answer };
  });
}

function optionsOf(row: Row): Record<string, string> {
  return Object.fromEntries(
    letters.flatMap((letter) => {
      const text = row[letter];
      // An empty cell, as pandas writes it for no value.
      return text === undefined || text === '' || text === 'nan' ? [] : [[letter, text]];
    }),
  );
}

function choiceOf(reference: unknown): { right: string; options: Record<string, string> } {
  // Made by `reference` above.
  const { answer, options } = reference as { answer: string; options: Record<string, string> };
  return { right: answer, options };
}

function listReference(row: Row): readonly string[] | undefined {
  const list = parseList(row.answer ?? '');
  return list.length === 0 ? undefined : list;
}

function strings(reference: unknown): readonly string[] {
  return Array.isArray(reference) ? reference.map(String) : [String(reference)];
}

/** The strings of a list as Python writes it, `['a', "it's"]`; any other text is a list of one. */
export function parseList(text: string): readonly string[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[') || !trimmed.endsWith(']')) return trimmed === '' ? [] : [trimmed];
  const items = [...trimmed.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)/g)];
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t' };
  return items.map(([, single, double, number]) =>
    (single ?? double ?? number ?? '').replace(/\\(.)/g, (_, char: string) => escapes[char] ?? char),
  );
}
