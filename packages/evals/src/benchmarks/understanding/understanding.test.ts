import { Buffer } from 'node:buffer';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { QuestionBenchmark } from '../benchmark.ts';
import { summarise } from '../summary.ts';
import { pope, popeScores } from './pope.ts';
import { tableBenchmark } from './table.ts';
import { docVqa, gqa, mmBench, ocrBench, parseList, rotations, seedBench } from './tables.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-questions-'));
});
afterAll(async () => rm(folder, { recursive: true }));

async function asked(benchmark: QuestionBenchmark) {
  const all = [];
  for await (const one of benchmark.questions()) all.push(one);
  return all;
}

async function tableFile(rows: readonly (readonly string[])[]): Promise<string> {
  const path = join(folder, 'table.tsv');
  await writeFile(path, `${rows.map((row) => row.join('\t')).join('\n')}\n`);
  return path;
}

const picture = Buffer.alloc(60, 7).toString('base64'); // longer than a reference to a row

test('POPE: its files, its questions, accuracy and F1', async () => {
  for (const split of ['random', 'popular', 'adversarial']) {
    const rows = [
      { question_id: 1, image: 'a.jpg', text: 'Is there a dog in the image?', label: 'yes' },
      { question_id: 2, image: 'a.jpg', text: 'Is there a cat in the image?', label: 'no' },
    ];
    // One as .jsonl, the others with the official ending.
    const ending = split === 'random' ? 'jsonl' : 'json';
    await writeFile(
      join(folder, `coco_pope_${split}.${ending}`),
      rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
    );
  }
  const benchmark = await pope({ path: folder, images: 'val2014', instruction: 'Yes or no?' });
  const questions = await asked(benchmark);
  expect(questions).toHaveLength(6);
  expect(questions[3]).toEqual({
    question: expect.objectContaining({
      id: 'popular/2',
      tag: 'popular',
      cluster: 'a.jpg',
      text: 'Is there a cat in the image? Yes or no?',
      reference: 'no',
    }),
    image: { file: join('val2014', 'a.jpg') },
  });
});

test('POPE: the numbers of the official script', () => {
  // TP 2, FP 1, FN 1, TN 1.
  const rows = [
    ['yes', 'Yes'],
    ['yes', 'yes'],
    ['yes', 'no'],
    ['no', 'Yes'],
    ['no', 'No, not'],
  ] as const;
  const answered = rows.map(([reference, answer], i) => ({
    id: String(i),
    tag: 'random',
    cluster: String(i),
    text: '',
    reference,
    answer,
  }));
  const scores = popeScores(answered, 'official');
  const summary = summarise(scores, 'tags');
  expect(summary?.overall.value).toBeCloseTo(3 / 5, 12);
  expect(Object.fromEntries((summary?.extra ?? []).map(({ name, value }) => [name, value]))).toEqual({
    F1: 2 / 3,
    'F1 random': 2 / 3,
    precision: 2 / 3,
    recall: 2 / 3,
    'yes ratio': 3 / 5,
  });
  expect(popeScores(answered.slice(4), 'official').extra?.map(({ of }) => of([0]))).toEqual([0, 0, 0, 0, 0]);
});

test('a table: quoted cells, images by reference, splits, rows without an answer', async () => {
  const path = await tableFile([
    ['index', 'image', 'question', 'answer', 'category', 'split'],
    ['1', picture, '"What ""is""\tthis?\nSay it."', 'dog', 'animals', 'dev'],
    ['2', '1', 'And this?', 'cat', 'animals', 'dev'],
    ['3', picture, 'Secret?', '', 'animals', 'test'],
    ['4', picture, 'Other?', 'x', 'things', 'other'],
  ]);
  const benchmark = await tableBenchmark(gqa, { path, split: 'dev', instruction: 'Briefly.' });
  const questions = await asked(benchmark);
  expect(questions.map(({ question }) => question.text)).toEqual([
    'What "is"\tthis?\nSay it.\nBriefly.',
    'And this?\nBriefly.',
  ]);
  const [first, second] = questions;
  expect(second?.image).toEqual(first?.image);
  expect(second?.question.cluster).toBe(first?.question.cluster);
  expect(first?.image).toEqual({ bytes: Buffer.alloc(60, 7) });
  await expect(tableBenchmark(gqa, { path, split: 'test' })).rejects.toThrow(/no answers in split test/);
  await expect(tableBenchmark(seedBench, { path })).rejects.toThrow(/has no column A, B/);
});

test('MMBench: right only if right under every rotation, whether the table has them or not', async () => {
  const head = ['index', 'image', 'question', 'answer', 'A', 'B', 'C', 'category'];
  const options = ['red', 'blue', ''];
  const path = await tableFile([
    head,
    ['7', picture, 'Colour?', 'A', ...options, 'color'],
    ['8', picture, 'Colour?', 'B', ...options, 'color'],
  ]);
  const turned = await tableBenchmark(mmBench, { path });
  const questions = await asked(turned);
  expect(questions.map(({ question }) => question.reference)).toEqual([
    { answer: 'A', options: { A: 'red', B: 'blue' } },
    { answer: 'B', options: { A: 'blue', B: 'red' } },
    { answer: 'B', options: { A: 'red', B: 'blue' } },
    { answer: 'A', options: { A: 'blue', B: 'red' } },
  ]);
  expect(questions[1]?.question.text).toContain('A. blue\nB. red');
  // Always "A" is right half of the time, and never under every rotation.
  const lazy = questions.map(({ question }) => ({ ...question, answer: 'A' }));
  expect(turned.score(lazy, { mode: 'official' }).items.map(({ value }) => value)).toEqual([0, 0]);
  const red = questions.map(({ question }) => ({ ...question, answer: 'red' }));
  expect(turned.score(red, { mode: 'official' }).items.map(({ id, value }) => [id, value])).toEqual([
    ['7', 1],
    ['8', 0],
  ]);

  const published = await tableFile([
    head,
    ['7', picture, 'Colour?', 'A', ...options, 'color'],
    ['1000007', '7', 'Colour?', 'B', 'blue', 'red', '', 'color'],
  ]);
  const expanded = await tableBenchmark(mmBench, { path: published });
  const rows = await asked(expanded);
  expect(rows).toHaveLength(2);
  const answers = rows.map(({ question }) => ({ ...question, answer: 'red' }));
  expect(expanded.score(answers, { mode: 'official' }).items).toMatchObject([{ id: '7', value: 1 }]);
});

test('the rotations of a row ask the same', () => {
  const row = { index: '1', answer: 'C', A: 'x', B: 'y', C: 'z' };
  expect(rotations(row).map(({ A, B, C, answer }) => [A, B, C, answer])).toEqual([
    ['x', 'y', 'z', 'C'],
    ['y', 'z', 'x', 'B'],
    ['z', 'x', 'y', 'A'],
  ]);
});

test('DocVQA and OCRBench: any of several answers', async () => {
  const formulas = 'Handwritten Mathematical Expression Recognition';
  const path = await tableFile([
    ['index', 'image', 'question', 'answer', 'category'],
    ['1', picture, 'Total?', "['12.50', \"12.5 o'clock\"]", 'Doc-oriented VQA'],
    ['2', picture, 'Formula?', "['x + y']", formulas],
  ]);
  const doc = await tableBenchmark(docVqa, { path });
  const answers = (await asked(doc)).map(({ question }, i) => ({ ...question, answer: ['12.51', 'X'][i] ?? '' }));
  expect(doc.score(answers, { mode: 'fixed' }).items.map(({ value }) => value)).toEqual([0.8, 0]);
  const ocr = await tableBenchmark(ocrBench, { path });
  const said = (await asked(ocr)).map(({ question }, i) => ({
    ...question,
    answer: ['It is 12.50.', 'x+y=1'][i] ?? '',
  }));
  expect(ocr.score(said, { mode: 'official' }).items).toMatchObject([{ value: 1 }, { tag: formulas, value: 1 }]);
});

test.each([
  ["['a', 'b']", ['a', 'b']],
  ['["it\'s"]', ["it's"]],
  ["['it\\'s', 3]", ["it's", '3']],
  ['plain', ['plain']],
  ['[]', []],
  ['', []],
])('a list as Python writes it: %s', (text, expected) => {
  expect(parseList(text)).toEqual(expected);
});
