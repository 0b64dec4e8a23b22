import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answerer, batches, drawn, image, signal } from '../../../test/benchmark-parts.ts';
import { dpgBench } from './dpg-bench.ts';
import { grid } from './grid.ts';
import { itemsFor, type Proposition, readDpgItems } from './questions.ts';
import { isYes, scoreItem } from './score.ts';

const header =
  'item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,question_natural_language';
const csv = [
  header,
  '0,"Two cats, black ones",k,1,0,entity,whole,entity - whole (cats),Are there cats?',
  '0,"Two cats, black ones",k,2,1,attribute,color,"attribute - color (cats, black)",Are the cats black?',
  '0,"Two cats, black ones",k,3,0,other,count,other - count (cats==2),Are there two?',
  'b7,A dog,k,1,0,entity,whole,entity - whole (dog),Is there a dog?',
  'b7,A dog,k,2,"1, 3",relation,spatial,"relation - spatial (dog, grass, on)",Is the dog on the grass?',
  'b7,A dog,k,3,0,entity,whole,entity - whole (grass),Is there grass?',
  '',
].join('\n');

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-dpg-'));
  path = join(folder, 'dpg_bench.csv');
  await writeFile(path, csv);
});
afterAll(async () => rm(folder, { recursive: true }));

const proposition = (id: number, parents: readonly number[] = [], category = 'entity - whole'): Proposition => ({
  id,
  parents,
  category,
  question: `${id}?`,
});
const item = (...propositions: Proposition[]) => ({ id: 'x', prompt: '', propositions });

test('the table is read with its dependencies, officially without its first row', async () => {
  const items = await readDpgItems(path);
  expect(items.map(({ id, prompt }) => [id, prompt])).toEqual([
    ['0', 'Two cats, black ones'],
    ['b7', 'A dog'],
  ]);
  expect(items[1]?.propositions[1]).toEqual({
    id: 2,
    parents: [1, 3],
    category: 'relation - spatial',
    question: 'Is the dog on the grass?',
  });
  expect(itemsFor(items, 'official').map(({ propositions }) => propositions.map(({ id }) => id))).toEqual([
    [2, 3],
    [1, 2, 3],
  ]);
  expect(itemsFor(items, 'fixed')).toEqual(items);
});

test.each([
  ['yes', true, true],
  ['Yes', false, true],
  ['yes.', false, true],
  ['yes, it is', false, true],
  ['no', false, false],
  ['yesterday', false, false],
  ['', false, false],
  [null, false, false],
])('the answer %j is officially %j, fixed %j', (answer, official, fixed) => {
  expect([isYes(answer, 'official'), isYes(answer, 'fixed')]).toEqual([official, fixed]);
});

describe('the score of an item', () => {
  test('is the mean over images of the share of propositions', () => {
    const two = item(proposition(1), proposition(2));
    expect(
      scoreItem(
        two,
        [
          [true, true],
          [true, false],
        ],
        'official',
      ),
    ).toMatchObject({ value: 0.75, images: [1, 0.5] });
  });

  test('a proposition falls with its parents, through generations in the order of rows', () => {
    const chain = item(proposition(1), proposition(2, [1]), proposition(3, [2]), proposition(4));
    for (const mode of ['official', 'fixed'] as const)
      expect(scoreItem(chain, [[false, true, true, true]], mode)).toMatchObject({ value: 0.25 });
  });

  test('against the order of rows officially only one generation falls', () => {
    // 3 depends on 2, which depends on 1, but stands above it.
    const turned = item(proposition(3, [2]), proposition(2, [1]), proposition(1), proposition(4));
    expect(scoreItem(turned, [[true, true, false, true]], 'official')).toMatchObject({ value: 0.5 });
    expect(scoreItem(turned, [[true, true, false, true]], 'fixed')).toMatchObject({ value: 0.25 });
  });

  test('of a circle of dependencies is found', () => {
    const circle = item(proposition(1, [2]), proposition(2, [1]));
    expect(scoreItem(circle, [[true, true]], 'fixed')).toMatchObject({ value: 1 });
    expect(scoreItem(circle, [[true, false]], 'fixed')).toMatchObject({ value: 0 });
  });

  test('categories: officially of the last image alone and before anything falls', () => {
    const two = item(proposition(1), proposition(2, [1], 'attribute - color'));
    const yes = [
      [true, true],
      [false, true],
    ];
    const categories = (mode: 'official' | 'fixed') => {
      const score = scoreItem(two, yes, mode);
      return typeof score === 'string' ? score : score.byCategory.map(({ category, value }) => [category, value]);
    };
    expect(categories('official')).toEqual([
      ['entity - whole', 0],
      ['attribute - color', 1],
    ]);
    expect(categories('fixed')).toEqual([
      ['entity - whole', 0.5],
      ['attribute - color', 0.5],
    ]);
  });

  test('officially there is none where a parent is missing', () => {
    const orphan = item(proposition(2, [1]));
    expect(scoreItem(orphan, [[true]], 'official')).toBe('proposition 2 depends on one that is missing');
    expect(scoreItem(orphan, [[true]], 'fixed')).toMatchObject({ value: 1 });
    expect(typeof scoreItem(item(), [[]], 'fixed')).toBe('string');
  });
});

test('the benchmark: the first item is lost officially, and both kinds of categories are counted', async () => {
  const benchmark = await dpgBench({ path });
  const [first, second] = benchmark.items;
  if (!first || !second) throw new Error('no items');
  // The second image of the dog has no grass.
  const judge = answerer((brightness, question) => (brightness === 5 && question.includes('grass?') ? 'no' : 'yes'));
  const images = batches(drawn(first, 2), drawn(second, 2, 4));
  const scores = await benchmark.score(images, { judge, mode: 'official', signal });
  expect(scores.items).toEqual([{ id: 'b7', tag: 'all', value: (1 + 1 / 3) / 2 }]);
  expect(scores.unscored).toEqual([{ id: '0', why: 'proposition 2 depends on one that is missing' }]);
  const entity = scores.secondary?.filter(({ tag }) => tag === 'entity').map(({ value }) => value);
  expect(entity).toEqual([1, 0]);
  const again = batches(drawn(first, 2), drawn(second, 2, 4));
  const fixed = await benchmark.score(again, { judge, mode: 'fixed', signal });
  expect(fixed.items.map(({ value }) => value)).toEqual([1, (1 + 1 / 3) / 2]);
  expect(fixed.secondary?.filter(({ tag }) => tag === 'relation').map(({ value }) => value)).toEqual([0.5]);
});

test('four images are one grid, in the order in which they are cropped apart', async () => {
  const benchmark = await dpgBench({ path });
  const [first] = benchmark.items;
  if (!first) throw new Error('no items');
  const [file] = benchmark.layout(
    first,
    [1, 2, 3, 4].map((value) => image(value, 2)),
  );
  expect(file?.path).toBe('0.png');
  const { content } = file ?? {};
  if (typeof content !== 'object') throw new Error('no picture');
  const at = (x: number, y: number) => content.data[3 * (y * 4 + x)];
  expect([content.width, content.height, at(0, 0), at(2, 1), at(1, 2), at(3, 3)]).toEqual([4, 4, 1, 2, 3, 4]);
  expect(() => grid([image(1, 2), image(1, 3)])).toThrow(RangeError);
});

test('a table that is none is refused with the row', async () => {
  const broken = join(folder, 'broken.csv');
  await writeFile(broken, `${header}\n0,text,k,one,0,,,t,q\n`);
  await expect(dpgBench({ path: broken })).rejects.toThrow(/GVU_BENCHMARK_FILE.*broken.csv.*row 1/);
  await writeFile(broken, 'item_id,text\n0,text\n');
  await expect(dpgBench({ path: broken })).rejects.toThrow(/has no column proposition_id, dependency/);
});
