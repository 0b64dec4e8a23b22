/**
 * Rewards by asking the model about its own drawing, through the same reader as the self-rewards: nothing is generated, the
 * probabilities of the answers are read off.
 *
 *   vqa-score   p("Yes"), given the question whether the picture shows the prompt      the wording of VQAScore (Lin et al. 2024; t2v_metrics @ 6ecb74f)
 *   yes-no      p(yes) / (p(yes) + p(no))                                              T2I-R1's ORM, GGF
 *   self-vqa    p(right answer) over questions about what the prompt asks for          Soft-TIFA of GenEval 2: arithmetic or geometric mean
 *
 * An answer of several tokens has the geometric mean of their probabilities. Differences: VQAScore's own judge is CLIP-FlanT5-XXL or a
 * large VLM; here the judge is the model itself, and other judges are asked by the reward `http`. Known failures: a bias to yes, which
 * `yes-no` takes out in part; saturation; a live judge that learns to say yes.
 */
import { defineConfig, isRecord, type JsonValue } from '@gvu/core';
import type { ReadRequest } from '@gvu/models';
import { rewardErrors } from '../errors.ts';
import { chooseRepresentation, readAll, readingOptions } from '../gvu.ts';
import { promptLikelihood } from '../prompt-likelihood.ts';
import type { Reward, RewardDeps, Rollout } from '../reward.ts';
import { rolloutInput } from '../rollout-input.ts';

const { teacher, representation } = readingOptions;

const wording = {
  question: {
    type: 'string',
    pattern: '\\{prompt\\}',
    default: 'Does this figure show "{prompt}"? Please answer Yes or No.',
    description: 'What is asked; {prompt} stands for the prompt.',
  },
  yes: { type: 'string', minLength: 1, default: 'Yes', description: 'The answer that is hoped for.' },
} as const;

export const vqaScoreConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: { teacher, representation, ...wording },
});

export const yesNoConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    teacher,
    representation,
    ...wording,
    no: { type: 'string', minLength: 1, default: 'No', description: 'The other answer.' },
  },
});

export const selfVqaConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    teacher,
    representation,
    mean: {
      enum: ['arithmetic', 'geometric'],
      default: 'arithmetic',
      description:
        'How the questions about a drawing are joined: arithmetic counts parts, geometric wants all of them right.',
    },
  },
});

export type VqaScoreOptions = ReturnType<typeof vqaScoreConfig.parse>;
export type YesNoOptions = ReturnType<typeof yesNoConfig.parse>;
export type SelfVqaOptions = ReturnType<typeof selfVqaConfig.parse>;
type Deps = Pick<RewardDeps, 'reader'>;

/** In [0, 1]. Throws GVU_REWARD_REPRESENTATION. */
export function vqaScore(options: VqaScoreOptions, deps: Deps): Reward {
  const { question, yes } = options;
  return asking('vqa-score', options, deps, {
    facts: { question, yes },
    ask: ({ prompt }) => [{ question: filled(question, prompt), answer: yes }],
    join: ([value = Number.NaN]) => value,
  });
}

/** In [0, 1]. Throws GVU_REWARD_REPRESENTATION. */
export function yesNo(options: YesNoOptions, deps: Deps): Reward {
  const { question, yes, no } = options;
  return asking('yes-no', options, deps, {
    facts: { question, yes, no },
    ask: ({ prompt }) => [{ question: filled(question, prompt), answer: yes, choices: [yes, no] }],
    join: ([value = Number.NaN]) => value,
  });
}

/**
 * In [0, 1]; NaN for a drawing about which there is nothing to ask. Questions are those of the prompt's metadata
 * (`questions: [{ question, answer, choices? }]`), or follow from metadata in GenEval's form. Throws GVU_REWARD_REPRESENTATION.
 */
export function selfVqa(options: SelfVqaOptions, deps: Deps): Reward {
  const { mean } = options;
  return asking('self-vqa', options, deps, {
    facts: { mean },
    ask: ({ metadata }, row) => questionsOf(metadata, row),
    join: (values) => {
      if (values.length === 0) return Number.NaN;
      const sum = values.reduce((total, value) => total + (mean === 'geometric' ? Math.log(value) : value), 0);
      return mean === 'geometric' ? Math.exp(sum / values.length) : sum / values.length;
    },
  });
}

export interface VisualQuestion {
  readonly question: string;
  readonly answer: string;
  /** Answers among which the right one competes, itself included. Without them, with every text there is. */
  readonly choices?: readonly string[];
}

interface Asking {
  readonly facts: Readonly<Record<string, string>>;
  readonly ask: (rollout: Rollout, row: number) => readonly VisualQuestion[];
  /** The reward from the probability of each right answer. */
  readonly join: (probabilities: readonly number[]) => number;
}

function asking(
  name: string,
  options: Pick<VqaScoreOptions, 'teacher' | 'representation'>,
  deps: Deps,
  { facts, ask, join }: Asking,
): Reward {
  const reader = deps.reader(options.teacher);
  const shown = chooseRepresentation(reader, options.representation);
  const input = shown === 'emitted-tokens' ? 'tokens' : 'pixels';
  const stated = Object.entries({ teacher: options.teacher, representation: shown, ...facts });
  return {
    name,
    version: ['1', ...stated.map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join(' '),
    inputs: name === 'self-vqa' ? [input, 'metadata'] : [input],
    range: [0, 1],
    deterministic: options.teacher === 'frozen',
    async score(rollouts, { signal }) {
      const judge = { kind: reader.kind, version: reader.version(), representation: shown };
      const requests: ReadRequest[] = [];
      const asked = rollouts.map((rollout, row) => {
        const at = { reward: name, row };
        const image =
          input === 'tokens'
            ? { tokens: rolloutInput(rollout, input, at) }
            : { pixels: rolloutInput(rollout, input, at) };
        return ask(rollout, row).map((item) => {
          const texts = [...new Set([item.answer, ...(item.choices ?? [])])];
          const from = requests.length;
          requests.push(...texts.map((text) => ({ image, instruction: item.question, text })));
          return { ...item, from, count: texts.length };
        });
      });
      const traces = await readAll(reader, requests, signal);
      const probabilities = traces.map(({ logProbs }) =>
        logProbs.includes(Number.NEGATIVE_INFINITY)
          ? 0
          : Math.min(1, promptLikelihood(logProbs, { form: 'geometric-mean' })),
      );
      const answers = asked.map((items) =>
        items.map(({ question, answer, choices, from, count }) => {
          const [right = Number.NaN, ...others] = probabilities.slice(from, from + count);
          // A teacher that thinks all of them impossible has no opinion.
          const total = others.reduce((sum, value) => sum + value, right);
          return { question, answer, probability: choices ? right / total : right };
        }),
      );
      return {
        values: answers.map((items) => join(items.map(({ probability }) => probability))),
        trace: answers.map((items) =>
          items.map((item) => ({ ...item, probability: Number.isFinite(item.probability) ? item.probability : null })),
        ),
        teacher: judge,
      };
    },
  };
}

function filled(question: string, prompt: string): string {
  return question.replaceAll('{prompt}', () => prompt);
}

const numberWords = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

/** Throws GVU_REWARD_INPUT for questions that are none. */
export function questionsOf(metadata: JsonValue | undefined, row: number): readonly VisualQuestion[] {
  if (!isRecord(metadata)) return [];
  const { questions, include } = metadata;
  if (questions !== undefined) return asQuestions(questions, row);
  const entries: readonly unknown[] = Array.isArray(include) ? include : [];
  const objects = entries.filter(isRecord);
  const kinds = objects.map((entry) => String(entry.class));
  return objects.flatMap((entry, i): VisualQuestion[] => {
    const kind = kinds[i] ?? '';
    const isOnly = kinds.filter((other) => other === kind).length === 1;
    const count = typeof entry.count === 'number' ? entry.count : 1;
    if (!isOnly) return []; // "the" circle would not say which
    return [
      { question: `how many ${plural(kind)} are there?`, answer: numberWords[count] ?? String(count) },
      ...(typeof entry.color === 'string' && count === 1
        ? [{ question: `what color is the ${kind}?`, answer: entry.color }]
        : []),
      ...positionQuestion(entry.position, { kind, kinds }),
    ];
  });
}

function positionQuestion(
  position: unknown,
  { kind, kinds }: { kind: string; kinds: readonly string[] },
): readonly VisualQuestion[] {
  const [relation, target]: readonly unknown[] = Array.isArray(position) ? position : [];
  const other = typeof target === 'number' ? kinds[target] : undefined;
  if (typeof relation !== 'string' || other === undefined || other === kind) return [];
  return [{ question: `is the ${kind} ${relation} the ${other}?`, answer: 'yes', choices: ['yes', 'no'] }];
}

function plural(kind: string): string {
  return /(s|x|ch|sh)$/.test(kind) ? `${kind}es` : `${kind}s`;
}

function asQuestions(value: unknown, row: number): readonly VisualQuestion[] {
  const isText = (text: unknown): text is string => typeof text === 'string' && text !== '';
  const list: readonly unknown[] = Array.isArray(value) ? value : [undefined];
  return list.map((item) => {
    const { question, answer, choices }: Readonly<Record<string, unknown>> = isRecord(item) ? item : {};
    const fits = choices === undefined || (Array.isArray(choices) && choices.every(isText));
    if (!isText(question) || !isText(answer) || !fits)
      throw rewardErrors.error(
        'GVU_REWARD_INPUT',
        `The questions about rollout ${row} are not of the form that is asked.`,
        {
          hint: 'Give `questions: [{ question, answer, choices? }]` in the metadata, all of them texts.',
        },
      );
    return { question, answer, ...(choices !== undefined && { choices: choices.map(String) }) };
  });
}
