import { describe, expect, it } from 'vitest';
import { plainReader } from '../../test/plain-reader.ts';
import type { Rollout } from '../reward.ts';
import { questionsOf, selfVqa, selfVqaConfig, vqaScore, vqaScoreConfig, yesNo, yesNoConfig } from './questions.ts';

const { signal } = new AbortController();
const parsed = { source: 'test' };
const rollout = (more: Partial<Rollout> = {}): Rollout => ({
  prompt: 'a red cube',
  address: { step: 0, prompt: 0, sample: 0 },
  tokens: Int32Array.of(1, 2),
  ...more,
});
/** Answers whatever is asked with these probabilities of words. */
const answering = (words: Readonly<Record<string, number>>) =>
  plainReader({ logProb: (word) => Math.log(words[word] ?? 0.001) });

describe('vqa-score and yes-no', () => {
  it('ask the wording of VQAScore about the drawing, and read off the probability of yes', async () => {
    const reader = answering({ Yes: 0.3, No: 0.1 });
    const deps = { reader: () => reader };
    const score = await vqaScore(vqaScoreConfig.parse({}, parsed), deps).score([rollout()], { signal });
    expect(score.values[0]).toBeCloseTo(0.3, 12);
    expect(reader.calls).toEqual([
      [
        {
          image: { tokens: Int32Array.of(1, 2) },
          instruction: 'Does this figure show "a red cube"? Please answer Yes or No.',
          text: 'Yes',
        },
      ],
    ]);
    const relative = await yesNo(yesNoConfig.parse({}, parsed), deps).score([rollout()], { signal });
    expect(relative.values[0]).toBeCloseTo(0.75, 12);
    expect(relative.teacher).toEqual({ kind: 'frozen', version: 'base', representation: 'emitted-tokens' });
  });

  it('take the geometric mean over the tokens of an answer', async () => {
    const reader = answering({ of: 0.5, course: 0.08 });
    const options = vqaScoreConfig.parse({ yes: 'of course', question: 'is it {prompt}? {prompt}?' }, parsed);
    const { values } = await vqaScore(options, { reader: () => reader }).score([rollout({ prompt: '$& {prompt}' })], {
      signal,
    });
    expect(values[0]).toBeCloseTo(0.2, 12);
    // What a prompt spells is no pattern.
    expect(reader.calls[0]?.[0]?.instruction).toBe('is it $& {prompt}? $& {prompt}?');
  });

  it('say NaN where both answers are impossible, and refuse a question without the prompt', async () => {
    const reader = plainReader({ logProb: () => Number.NEGATIVE_INFINITY });
    const { values } = await yesNo(yesNoConfig.parse({}, parsed), { reader: () => reader }).score([rollout()], {
      signal,
    });
    expect(values).toEqual([Number.NaN]);
    const sure = plainReader({ logProb: (word) => (word === 'Yes' ? -1 : Number.NEGATIVE_INFINITY) });
    const { values: one } = await yesNo(yesNoConfig.parse({}, parsed), { reader: () => sure }).score([rollout()], {
      signal,
    });
    expect(one).toEqual([1]);
    expect(() => yesNoConfig.parse({ question: 'is it good?' }, parsed)).toThrow(/question/);
  });
});

describe('self-vqa', () => {
  const metadata = {
    questions: [
      { question: 'what color?', answer: 'red', choices: ['red', 'blue'] },
      { question: 'how many?', answer: 'two' },
    ],
  };

  it('joins the probabilities of right answers, among choices where there are some', async () => {
    const reader = answering({ red: 0.2, blue: 0.2, two: 0.08 });
    const score = async (mean: string) =>
      (
        await selfVqa(selfVqaConfig.parse({ mean }, parsed), { reader: () => reader }).score([rollout({ metadata })], {
          signal,
        })
      ).values[0];
    expect(await score('arithmetic')).toBeCloseTo((0.5 + 0.08) / 2, 12);
    expect(await score('geometric')).toBeCloseTo(Math.sqrt(0.5 * 0.08), 12);
  });

  it('cannot judge what nothing can be asked about, and asks nothing then', async () => {
    const reader = answering({});
    const reward = selfVqa(selfVqaConfig.parse({}, parsed), { reader: () => reader });
    const { values, trace } = await reward.score([rollout(), rollout({ metadata: { questions: [] } })], { signal });
    expect(values).toEqual([Number.NaN, Number.NaN]);
    expect(trace).toEqual([[], []]);
    expect(reader.calls).toEqual([]);
  });

  it('makes questions of metadata in the form of GenEval, none about one of several alike', () => {
    const include = [
      { class: 'cube', count: 1, color: 'red' },
      { class: 'cross', count: 3, color: 'blue' },
      { class: 'ring', count: 1, position: ['left of', 0] },
      { class: 'ball', count: 1, color: 'red' },
      { class: 'ball', count: 1, color: 'blue' },
    ];
    expect(questionsOf({ include }, 0)).toEqual([
      { question: 'how many cubes are there?', answer: 'one' },
      { question: 'what color is the cube?', answer: 'red' },
      { question: 'how many crosses are there?', answer: 'three' },
      { question: 'how many rings are there?', answer: 'one' },
      { question: 'is the ring left of the cube?', answer: 'yes', choices: ['yes', 'no'] },
    ]);
  });

  it.each([[{}], ['no list'], [[{ question: 'what?' }]], [[{ question: 'what?', answer: 'a', choices: [1] }]]])(
    'refuses questions that are none: %j',
    (questions) => {
      expect(() => questionsOf({ questions }, 3)).toThrow(/GVU_REWARD_INPUT.*rollout 3/);
    },
  );
});
