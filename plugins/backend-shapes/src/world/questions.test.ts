import { randomStream } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { createCatalogue } from './catalogue.ts';
import { askAbout, type Question, questionKinds } from './questions.ts';
import { relationsOf } from './relations.ts';
import { sampleScene } from './sample-scene.ts';
import { boxOf, type Scene } from './scene.ts';
import { createVocabulary } from './vocabulary.ts';
import { defineWorld, imageSide } from './world.ts';

const seed = 20261123;
const world = defineWorld();
const vocabulary = createVocabulary(world);
const { entries } = createCatalogue(world);
const stream = randomStream(seed, 'questions test');

/** Answers a question from its words, the other way round than it was made. */
function answerTo(question: string, scene: Scene): string | undefined {
  const words = question.replace('?', '').split(' ');
  const named = scene.filter(({ shape }) => words.includes(shape));
  const [first, second] = named.toSorted((a, b) => words.indexOf(a.shape) - words.indexOf(b.shape));
  if (question.startsWith('what color')) return named.length === 1 ? first?.color : undefined;
  if (question.startsWith('what shape')) {
    const colored = scene.filter(({ color }) => words.includes(color));
    return colored.length === 1 ? colored[0]?.shape : undefined;
  }
  if (question.startsWith('how many')) {
    const count = scene.filter(({ shape }) => words[2]?.startsWith(shape)).length;
    return ['zero', 'one', 'two', 'three', 'four'][count];
  }
  if (question.includes(' or ') && first && named.length === 1) {
    const middle = { x: boxOf(first).x + boxOf(first).width / 2, y: boxOf(first).y + boxOf(first).height / 2 };
    const half = imageSide / 2;
    if (words.includes('left')) return middle.x < half ? 'left' : middle.x > half ? 'right' : undefined;
    return middle.y < half ? 'above' : middle.y > half ? 'below' : undefined;
  }
  if (!first || !second || named.length !== 2) return undefined;
  if (/larger|smaller/.test(question)) {
    if (first.size === second.size) return undefined;
    return (first.size === 'large') === words.includes('larger') ? 'yes' : 'no';
  }
  return relationsOf(boxOf(first), boxOf(second)).some((relation) => question.includes(relation)) ? 'yes' : 'no';
}

describe(`askAbout (seed ${seed})`, () => {
  const asked = Array.from({ length: 3000 }, (_, i): { scene: Scene; question: Question } => {
    const entry = entries[(i * 7919) % entries.length];
    if (!entry) throw new RangeError(`No prompt ${i}.`);
    const scene = sampleScene(world, entry.metadata, { address: stream.at(0, i) });
    return { scene, question: askAbout(world, scene, stream.at(1, i)) };
  });

  test('asks what the scene answers without doubt', () => {
    for (const { scene, question } of asked) {
      expect(answerTo(question.question, scene), question.question).toBe(question.answer);
      expect(question.choices).toContain(question.answer);
    }
  });

  test('asks every kind of question, in words that the vocabulary has', () => {
    expect(new Set(asked.map(({ question }) => question.kind))).toEqual(new Set(questionKinds));
    for (const { question } of asked)
      for (const text of [question.question, ...question.choices]) vocabulary.encode(text);
  });

  test('has as many yes as no', () => {
    for (const kind of ['position', 'size'] as const) {
      const answers = asked.filter(({ question }) => question.kind === kind).map(({ question }) => question.answer);
      const yes = answers.filter((answer) => answer === 'yes').length;
      expect(Math.abs(yes - answers.length / 2), kind).toBeLessThan(4.5 * Math.sqrt(answers.length / 4));
    }
  });

  test('has nothing to ask about nothing', () => {
    expect(() => askAbout(world, [], stream.at(2))).toThrow('GVU_SHAPES_CHOICE');
  });
});
