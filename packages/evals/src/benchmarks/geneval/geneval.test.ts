import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { answerer, batches, detector, drawn, image, seen, signal } from '../../../test/benchmark-parts.ts';
import { dataFile } from '../files.ts';
import { genEval, genEvalOf } from './geneval.ts';
import { genEvalItems } from './metadata.ts';
import { genEvalThresholds } from './rules.ts';

const rows = [
  { tag: 'single_object', include: [{ class: 'bench', count: 1 }], prompt: 'a photo of a bench' },
  {
    tag: 'counting',
    include: [{ class: 'clock', count: 2 }],
    exclude: [{ class: 'clock', count: 3 }],
    prompt: 'a photo of two clocks',
  },
].map((value) => ({ value, raw: JSON.stringify(value) }));

const small = () =>
  genEvalOf({
    name: 'small',
    source: 'test',
    items: genEvalItems(rows, 'rows'),
    imagesPerPrompt: 2,
    thresholds: genEvalThresholds,
  });

test('has the official prompts, in their tasks and order', async () => {
  const { items, imagesPerPrompt, overall } = await genEval({});
  const tags: Record<string, number> = {};
  for (const { tag } of items) tags[tag] = (tags[tag] ?? 0) + 1;
  expect({ imagesPerPrompt, overall, tags }).toEqual({
    imagesPerPrompt: 4,
    overall: 'tags',
    tags: { single_object: 80, two_object: 99, counting: 80, colors: 94, position: 100, color_attr: 100 },
  });
  expect(items[0]).toMatchObject({ id: '0', prompt: 'a photo of a bench' });
});

test('lays out folders as the official script reads them, with the rows of the metadata unchanged', async () => {
  const benchmark = await genEval({});
  const lines = (await readFile(dataFile('geneval/evaluation_metadata.jsonl'), 'utf8')).split('\n');
  const item = benchmark.items[552];
  if (!item) throw new Error('no such item');
  const files = benchmark.layout(item, [image(1), image(2)]);
  // Folders and images are found by their names: only digits, and digits.png.
  expect(files.map(({ path }) => path)).toEqual([
    '00552/metadata.jsonl',
    '00552/samples/00000.png',
    '00552/samples/00001.png',
  ]);
  expect(files[0]?.content).toBe(lines[552]);
  expect(files[2]?.content).toEqual(image(2));
});

test('scores prompts over their images; the summary of images and the rows are the official ones', async () => {
  const benchmark = small();
  const [bench, clocks] = benchmark.items;
  if (!bench || !clocks) throw new Error('no items');
  const clock = seen('clock', 0.95);
  const judge = detector([
    [seen('bench', 0.4)],
    [seen('bench', 0.2)],
    [],
    [],
    [clock, clock],
    [clock, clock, seen('clock', 0.91)],
    [clock, clock, seen('clock', 0.9)],
  ]);
  const scores = await benchmark.score(batches(drawn(bench, 4), drawn(clocks, 3, 4)), {
    judge,
    mode: 'official',
    signal,
  });
  expect(scores.items).toEqual([
    { id: '0', tag: 'single_object', value: 0.25 },
    { id: '1', tag: 'counting', value: 2 / 3 },
  ]);
  expect(scores.extra?.map(({ name, of }) => [name, of([0, 1]), of([0, 0])])).toEqual([
    ['correct images', 3 / 7, 1 / 4],
    ['prompts with a correct image', 1, 1],
  ]);
  expect(scores.records[5]).toEqual({
    filename: '00001/samples/00001.png',
    tag: 'counting',
    prompt: 'a photo of two clocks',
    correct: false,
    reason: 'expected clock<3, found 3',
    metadata: rows[1]?.raw,
    details: JSON.stringify({ clock: [...[0.95, 0.95, 0.91].map((confidence) => [45, 45, 55, 55, confidence])] }),
  });
});

test('its version changes with metadata and thresholds', () => {
  const { version } = small();
  const items = genEvalItems(rows, 'rows');
  const other = { ...genEvalThresholds, threshold: 0.4 };
  const parts = { name: 'small', source: 'test', imagesPerPrompt: 2 };
  expect(genEvalOf({ ...parts, items, thresholds: other }).version).not.toBe(version);
  expect(genEvalOf({ ...parts, items: items.slice(1), thresholds: genEvalThresholds }).version).not.toBe(version);
});

test('refuses a judge without eyes for objects, and rows that are none, all at once', async () => {
  const judge = answerer(() => 'yes');
  await expect(small().score(batches(), { judge, mode: 'official', signal })).rejects.toThrow(
    /GVU_BENCHMARK_JUDGE.*small needs a judge that can detect objects/,
  );
  const bad = [
    { tag: 'counting', prompt: 'two clocks' },
    { tag: 'position', prompt: 'a dog', include: [{ class: 'dog', count: 1, position: ['left of', 0] }] },
  ].map((value) => ({ value, raw: '' }));
  expect(() => genEvalItems(bad, 'rows.jsonl')).toThrow(/GVU_BENCHMARK_FILE: 'rows.jsonl' has 2 rows/);
});
