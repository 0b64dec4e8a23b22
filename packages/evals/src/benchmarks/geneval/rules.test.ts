import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seen } from '../../../test/benchmark-parts.ts';
import type { Box, Detection } from '../judge.ts';
import { type GenEvalMetadata, type Relation, relations } from './metadata.ts';
import { genEvalThresholds, judgeObjects, keepDetections, relationsOf } from './rules.ts';

const seed = 20_260_711;
const size = { width: 100, height: 100 };

function verdict(asked: Omit<GenEvalMetadata, 'prompt' | 'tag'> & { tag?: string }, detections: readonly Detection[]) {
  return judgeObjects(asked, keepDetections(asked.tag ?? 'two_object', detections, genEvalThresholds), size);
}

describe('which detections count', () => {
  test('above 0.3, in counting above 0.9, neither at the limit', () => {
    const all = [0.3, 0.31, 0.9, 0.91].map((confidence) => seen('dog', confidence));
    const kept = (tag: string) =>
      keepDetections(tag, all, genEvalThresholds)
        .get('dog')
        ?.map(({ confidence }) => confidence);
    expect(kept('colors')).toEqual([0.91, 0.9, 0.31]);
    expect(kept('counting')).toEqual([0.91]);
    expect(keepDetections('counting', [seen('dog', 0.5)], genEvalThresholds).size).toBe(0);
  });

  test('the best sixteen of a class; overlapping boxes are all kept', () => {
    const many = Array.from({ length: 20 }, (_, i) => seen('dog', 0.4 + i / 100));
    const kept = keepDetections('colors', many, genEvalThresholds).get('dog') ?? [];
    expect(kept).toHaveLength(16);
    expect(kept[0]?.confidence).toBeCloseTo(0.59, 12);
  });
});

describe('by hand', () => {
  const red = { ...seen('cup', 0.9), color: 'red' };
  const blue = { ...seen('cup', 0.8), color: 'blue' };

  test('at least as many as asked; exclude makes a count exact', () => {
    const three = [1, 2, 3].map(() => seen('clock', 0.95));
    const include = [{ class: 'clock', count: 2 }];
    expect(verdict({ include }, three).correct).toBe(true);
    const exact = { tag: 'counting', include, exclude: [{ class: 'clock', count: 3 }] };
    expect(verdict(exact, three)).toEqual({ correct: false, reasons: ['expected clock<3, found 3'] });
    expect(verdict(exact, three.slice(1)).correct).toBe(true);
    expect(verdict(exact, three.slice(2)).reasons).toEqual(['expected clock>=2, found 1']);
  });

  test('only the most confident objects are looked at, though another would do', () => {
    const asked = { include: [{ class: 'cup', count: 1, color: 'blue' }] };
    expect(verdict(asked, [red, blue])).toEqual({
      correct: false,
      reasons: ['expected blue cup>=1, found 0 blue; and 1 red'],
    });
    expect(verdict(asked, [{ ...red, confidence: 0.7 }, blue]).correct).toBe(true);
  });

  test('a target of the wrong colour is no target', () => {
    const include = [
      { class: 'cup', count: 1, color: 'blue' },
      { class: 'dog', count: 1, position: ['left of', 0] as const },
    ];
    const dog = seen('dog', 0.9, [10, 50]);
    expect(verdict({ include }, [red, dog]).reasons).toEqual([
      'expected blue cup>=1, found 0 blue; and 1 red',
      'no target for dog to be left of',
    ]);
    expect(verdict({ include }, [blue, dog]).correct).toBe(true);
  });

  test('a relation must hold between every pair', () => {
    const include = [
      { class: 'cup', count: 2 },
      { class: 'dog', count: 1, position: ['left of', 0] as const },
    ];
    const cups = [seen('cup', 0.9, [50, 50]), seen('cup', 0.8, [10, 50])];
    const asked = verdict({ include }, [...cups, seen('dog', 0.9, [30, 50])]);
    expect(asked.reasons).toEqual(['expected dog left of target, found right of target']);
    expect(verdict({ include }, [...cups, seen('dog', 0.9, [-20, 50])]).correct).toBe(true);
  });

  test('offsets are shrunk by a tenth of both sizes, and compared with the whole distance', () => {
    const at = (x: number, y: number): Box => seen('', 1, [x, y]).box;
    // Sides of 10: 2 pixels are taken off each axis.
    expect(relationsOf(at(2, 0), at(0, 0))).toEqual([]);
    expect(relationsOf(at(3, 0), at(0, 0))).toEqual([]); // 1 of 3
    expect(relationsOf(at(5, 0), at(0, 0))).toEqual(['right of']); // 3 of 5
    expect(relationsOf(at(0, 0), at(5, 0))).toEqual(['left of']);
    expect(relationsOf(at(0, 9), at(0, 0))).toEqual(['below']);
    // In a corner two hold: 28 of 42.4 on both axes.
    expect(relationsOf(at(-30, -30), at(0, 0))).toEqual(['left of', 'above']);
    // But not near by: 3 of 7.07.
    expect(relationsOf(at(5, 5), at(0, 0))).toEqual([]);
    expect(relationsOf(at(0, 0), at(0, 0))).toEqual([]);
  });

  test('halves and sizes, which GenEval++ adds', () => {
    const include = [
      { class: 'dog', count: 1, size: 'larger', region: 'left' },
      { class: 'cup', count: 1, size: 'smaller', region: 'right' },
    ] as const;
    const big = { ...seen('dog', 0.9), box: { left: 0, top: 0, right: 40, bottom: 20 } };
    expect(verdict({ include }, [big, seen('cup', 0.9, [80, 50])]).correct).toBe(true);
    expect(verdict({ include }, [big, seen('cup', 0.9, [30, 50])]).reasons).toEqual(['expected cup in the half right']);
    const small = { ...big, box: { left: 0, top: 0, right: 11, bottom: 11 } };
    expect(verdict({ include }, [small, seen('cup', 0.9, [80, 50])]).reasons).toEqual([
      'expected sides in a ratio of at least 1.2, found 11 and 10',
    ]);
    expect(verdict({ include }, [big]).reasons).toEqual(['expected cup>=1, found 0']);
  });
});

/*
 * The rules once more, from their description in words and without the code above: as one condition instead of a walk through the
 * entries, relations in whole numbers, detections counted by sorting once. Boxes have whole coordinates, so that nothing is rounded.
 */
const classes = ['cup', 'dog', 'car'];
const colors = ['red', 'blue'];

function restated({ tag, include, exclude = [] }: GenEvalMetadata, detections: readonly Detection[]): boolean {
  const limit = tag === 'counting' ? 0.9 : 0.3;
  const ranking = detections.filter(({ confidence }) => confidence > limit).sort((a, b) => b.confidence - a.confidence);
  const all = (name: string) => ranking.filter((detection) => detection.class === name).slice(0, 16);
  const chosen = (i: number) => all(include[i]?.class ?? '').slice(0, include[i]?.count);
  return (
    exclude.every(({ class: name, count }) => all(name).length < count) &&
    include.every(({ count, color, position }, i) => {
      const enough = chosen(i).length === count;
      const rightColor = color === undefined || chosen(i).every((detection) => detection.color === color);
      const placed =
        position === undefined ||
        chosen(i).every(({ box }) => chosen(position[1]).every((target) => stands(box, position[0], target.box)));
      return enough && rightColor && placed;
    })
  );
}

/** |offset| - (sum of sizes) / 10 > distance / 2 on the relation's axis, in twice the offsets: 4 (5 |d| - s)^2 > 25 (d^2 + e^2). */
function stands(a: Box, relation: Relation, b: Box): boolean {
  return margin(a, relation, b) > 0;
}

function margin(a: Box, relation: Relation, b: Box): number {
  const across = a.left + a.right - b.left - b.right;
  const down = a.top + a.bottom - b.top - b.bottom;
  const horizontal = relation === 'left of' || relation === 'right of';
  const [along, beside] = horizontal ? [across, down] : [down, across];
  const towards = relation === 'left of' || relation === 'above' ? -along : along;
  const sizes = horizontal ? a.right - a.left + b.right - b.left : a.bottom - a.top + b.bottom - b.top;
  const shrunk = 5 * towards - sizes;
  return shrunk <= 0 ? -1 : 4 * shrunk ** 2 - 25 * (along ** 2 + beside ** 2);
}

const box = fc
  .tuple(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 1, max: 15 }),
    fc.integer({ min: 1, max: 15 }),
  )
  .map(([left, top, wide, high]): Box => ({ left, top, right: left + wide, bottom: top + high }));

// Confidences differ, so that the order of equals, which the rules leave open, does not matter.
const detections = fc
  .array(fc.record({ class: fc.constantFrom(...classes), color: fc.constantFrom(...colors), box }), { maxLength: 9 })
  .chain((list) =>
    fc
      .shuffledSubarray(
        Array.from({ length: 24 }, (_, i) => (i + 3.5) / 28),
        { minLength: list.length, maxLength: list.length },
      )
      .map((confidences) => list.map((item, i): Detection => ({ ...item, confidence: confidences[i] ?? 0 }))),
  );

const entry = fc.record(
  { class: fc.constantFrom(...classes), count: fc.integer({ min: 1, max: 2 }), color: fc.constantFrom(...colors) },
  { requiredKeys: ['class', 'count'] },
);
const metadata = fc
  .record({
    tag: fc.constantFrom('counting', 'position'),
    prompt: fc.constant('a prompt'),
    entries: fc.array(fc.tuple(entry, fc.option(fc.tuple(fc.constantFrom(...relations), fc.nat(5)))), {
      minLength: 1,
      maxLength: 3,
    }),
    exclude: fc.array(fc.record({ class: fc.constantFrom(...classes), count: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 1,
    }),
  })
  .map(({ tag, prompt, entries, exclude }): GenEvalMetadata => {
    const include = entries.map(([item, position], i) =>
      position && i > 0 ? { ...item, position: [position[0], position[1] % i] as const } : item,
    );
    return { tag, prompt, include, exclude };
  });

test(`agree with an independent restatement (seed ${seed})`, () => {
  const met = { right: 0, wrong: 0 };
  fc.assert(
    fc.property(metadata, detections, (asked, list) => {
      const { correct, reasons } = verdict(asked, list);
      expect(correct).toBe(restated(asked, list));
      expect(correct).toBe(reasons.length === 0);
      met[correct ? 'right' : 'wrong']++;
    }),
    { seed, numRuns: 3000 },
  );
  // Otherwise the property would say nothing.
  expect(met.right).toBeGreaterThan(100);
  expect(met.wrong).toBeGreaterThan(100);
});

test(`relations agree with the restatement (seed ${seed})`, () => {
  const met = new Map<number, number>();
  fc.assert(
    fc.property(box, box, (a, b) => {
      // Exactly at the limit, rounding decides.
      fc.pre(relations.every((relation) => margin(a, relation, b) !== 0));
      const found = relationsOf(a, b);
      expect(new Set(found)).toEqual(new Set(relations.filter((relation) => stands(a, relation, b))));
      met.set(found.length, (met.get(found.length) ?? 0) + 1);
    }),
    { seed, numRuns: 3000 },
  );
  expect(new Set(met.keys())).toEqual(new Set([0, 1, 2]));
});

test(`the order of detections does not matter, and more confidence of all alike changes nothing (seed ${seed})`, () => {
  fc.assert(
    fc.property(metadata, detections, fc.nat(), (asked, list, turn) => {
      const turned = [...list.slice(turn % 9), ...list.slice(0, turn % 9)];
      expect(verdict(asked, turned)).toEqual(verdict(asked, list));
    }),
    { seed, numRuns: 500 },
  );
});
