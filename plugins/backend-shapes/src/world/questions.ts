/** Questions about a scene, with their answers: colour, shape, count, place, position and size. */
import type { RandomAddress } from '@gvu/core';
import { type Draws, drawsFrom } from './draws.ts';
import { isInRegion, type Region, relations, relationsOf } from './relations.ts';
import { boxOf, type Scene, type SceneObject } from './scene.ts';
import { numberWord, plural } from './wording.ts';
import { maxObjects, type World } from './world.ts';

export const questionKinds = ['color', 'shape', 'count', 'place', 'position', 'size'] as const;
export type QuestionKind = (typeof questionKinds)[number];

export interface Question {
  readonly kind: QuestionKind;
  readonly question: string;
  readonly answer: string;
  /** Every answer that the kind of question may have. */
  readonly choices: readonly string[];
}

/**
 * A question that the scene answers without doubt: one of the kinds that it allows, each equally likely. Questions of
 * yes and no have either answer equally often. The scene must have an object.
 * @throws GVU_SHAPES_CHOICE for an empty scene.
 */
export function askAbout(world: World, scene: Scene, address: RandomAddress): Question {
  const draws = drawsFrom(address);
  const only = scene.filter(({ shape }) => scene.filter((other) => other.shape === shape).length === 1);
  const onlyOfColor = scene.filter(({ color }) => scene.filter((other) => other.color === color).length === 1);
  const unequal = only.filter((object) => only.some((other) => other.size !== object.size));
  const places = only.flatMap(placesOf);
  const possible = [
    ...(scene.length > 0 ? [() => askCount(draws.pick(scene), scene)] : []),
    ...(only.length > 0 ? [() => askColor(draws.pick(only), world)] : []),
    ...(onlyOfColor.length > 0 ? [() => askShape(draws.pick(onlyOfColor), world)] : []),
    ...(places.length > 0 ? [() => draws.pick(places)()] : []),
    ...(only.length > 1 ? [() => askPosition(only, draws)] : []),
    ...(unequal.length > 1 ? [() => askSize(unequal, draws)] : []),
  ];
  return draws.pick(possible)();
}

function askColor({ shape, color }: SceneObject, { colors }: World): Question {
  return { kind: 'color', question: `what color is the ${shape}?`, answer: color, choices: colors };
}

function askShape({ shape, color }: SceneObject, { shapes }: World): Question {
  return { kind: 'shape', question: `what shape is ${color}?`, answer: shape, choices: shapes };
}

function askCount({ shape }: SceneObject, scene: Scene): Question {
  const count = scene.filter((object) => object.shape === shape).length;
  const choices = Array.from({ length: maxObjects }, (_, i) => numberWord(i + 1));
  return { kind: 'count', question: `how many ${plural(shape)} are there?`, answer: numberWord(count), choices };
}

const placeQuestions: readonly { readonly ends: string; readonly choices: readonly [Region, Region] }[] = [
  { ends: 'on the left or on the right?', choices: ['left', 'right'] },
  { ends: 'above or below?', choices: ['above', 'below'] },
];

/** The questions about the halves that an object is in. No object of the world has its centre in the middle of an axis. */
function placesOf(object: SceneObject): (() => Question)[] {
  return placeQuestions.flatMap(({ ends, choices }) => {
    const answer = choices.find((region) => isInRegion(boxOf(object), region));
    if (!answer) return [];
    return [() => ({ kind: 'place' as const, question: `is the ${object.shape} ${ends}`, answer, choices })];
  });
}

function askPosition(objects: Scene, draws: Draws): Question {
  const object = draws.pick(objects);
  const target = draws.pick(objects.filter((other) => other !== object));
  const holding = relationsOf(boxOf(object), boxOf(target));
  // Of two objects in different cells at least one relation holds, whatever their sizes.
  const isTrue = draws.uniform() < 0.5;
  const relation = draws.pick(relations.filter((name) => holding.includes(name) === isTrue));
  return yesOrNo('position', `is the ${object.shape} ${relation} the ${target.shape}?`, isTrue);
}

function askSize(objects: Scene, draws: Draws): Question {
  const object = draws.pick(objects);
  const other = draws.pick(objects.filter(({ size }) => size !== object.size));
  const isTrue = draws.uniform() < 0.5;
  const isLarger = (object.size === 'large') === isTrue;
  const comparison = isLarger ? 'larger' : 'smaller';
  return yesOrNo('size', `is the ${object.shape} ${comparison} than the ${other.shape}?`, isTrue);
}

function yesOrNo(kind: QuestionKind, question: string, isTrue: boolean): Question {
  return { kind, question, answer: isTrue ? 'yes' : 'no', choices: ['yes', 'no'] };
}

/** One question of each form for every shape, colour and relation, with all answers: the words that questions are made of. */
export function questionTexts({ shapes, colors }: World): string[] {
  const numbers = Array.from({ length: maxObjects }, (_, i) => numberWord(i + 1));
  return [
    ...shapes.flatMap((shape) => [`what color is the ${shape}?`, `how many ${plural(shape)} are there?`]),
    ...colors.map((color) => `what shape is ${color}?`),
    ...relations.map((relation) => `is the ${shapes[0]} ${relation} the ${shapes[1]}?`),
    ...placeQuestions.map(({ ends, choices }) => `is the ${shapes[0]} ${ends} ${choices.join(' ')}`),
    `is the ${shapes[0]} larger than the ${shapes[1]}?`,
    `is the ${shapes[0]} smaller than the ${shapes[1]}?`,
    ...numbers,
    'yes no',
  ];
}
