/** The methods that can be requested: the scope that each takes, its parameters and its result. */
import type { JSONSchema } from 'json-schema-to-ts';
import { runSummary, type Scope } from './hello.ts';
import { blobName, type Message, name, offset } from './schema.ts';

const text = { type: 'string', minLength: 1, maxLength: 4096 } as const;

const image = {
  description: 'A picture of a run, or any PNG as base64.',
  anyOf: [
    { type: 'object', required: ['run', 'name'], properties: { run: name, name: blobName } },
    { type: 'object', required: ['png'], properties: { png: { type: 'string', minLength: 1 } } },
  ],
} as const;
export type ImageReference = Message<typeof image>;

const ofRun = { type: 'object', required: ['run'], properties: { run: name } } as const;

const method = <const P extends JSONSchema, const R extends JSONSchema>(definition: {
  readonly scope: Scope;
  readonly description: string;
  readonly params: P;
  readonly result: R;
}) => definition;

export const methods = {
  generate: method({
    scope: 'infer',
    description: 'Draws pictures of a prompt. Each arrives in a binary frame before the result.',
    params: {
      type: 'object',
      required: ['prompt'],
      properties: {
        prompt: text,
        count: { type: 'integer', minimum: 1, maximum: 64, default: 1 },
        seed: { ...offset, default: 0, description: 'The same seed, prompt and weights give the same pictures.' },
        sampler: {
          type: 'object',
          description: "Without it, the model's own way.",
          required: ['temperature', 'topK', 'topP', 'minP'],
          properties: {
            temperature: { type: 'number', minimum: 0, maximum: 100 },
            topK: { type: 'integer', minimum: 0 },
            topP: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
            minP: { type: 'number', minimum: 0, maximum: 1 },
          },
        },
      },
    },
    result: {
      type: 'object',
      required: ['drawings'],
      properties: {
        drawings: {
          type: 'array',
          items: {
            type: 'object',
            required: ['image', 'logProb'],
            properties: {
              image: blobName,
              logProb: { type: 'number', description: 'Mean over the decisions under the policy, in nats.' },
            },
          },
        },
      },
    },
  }),
  describe: method({
    scope: 'infer',
    description: 'Answers a question about a picture; without one, describes it.',
    params: { type: 'object', required: ['image'], properties: { image, question: text } },
    result: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
  }),
  score: method({
    scope: 'infer',
    description: 'How probable a text is, given a picture: token by token.',
    params: { type: 'object', required: ['image', 'text'], properties: { image, text } },
    result: {
      type: 'object',
      required: ['tokens', 'logProbs', 'value'],
      properties: {
        tokens: { type: 'array', items: { type: 'string' } },
        logProbs: { type: 'array', items: { type: 'number' }, description: 'In nats.' },
        value: { type: 'number', description: 'Geometric mean of the probabilities: the reward of GvU.' },
      },
    },
  }),
  plugins: method({
    scope: 'read',
    description: 'The plugins that the server was started with.',
    params: { type: 'object', properties: {} },
    result: {
      type: 'object',
      required: ['plugins'],
      properties: {
        plugins: {
          type: 'array',
          items: {
            type: 'object',
            required: ['name', 'version', 'state', 'contributions'],
            properties: {
              name: { type: 'string' },
              version: { type: 'string' },
              state: { enum: ['ready', 'failed'] },
              contributions: { type: 'array', items: { type: 'string' }, description: 'Each as `kind/id`.' },
            },
          },
        },
      },
    },
  }),
  runs: method({
    scope: 'read',
    description: 'All runs, the one written last first.',
    params: { type: 'object', properties: {} },
    result: { type: 'object', required: ['runs'], properties: { runs: { type: 'array', items: runSummary } } },
  }),
  'run.start': method({
    scope: 'control',
    description: 'Starts a run.',
    params: {
      type: 'object',
      required: ['config'],
      properties: {
        config: { type: 'object', description: 'Configuration of the run; what is left out has its default.' },
      },
    },
    result: ofRun,
  }),
  'run.pause': method({
    scope: 'control',
    description: 'Holds a run after its current step.',
    params: ofRun,
    result: ofRun,
  }),
  'run.resume': method({ scope: 'control', description: 'Lets a paused run go on.', params: ofRun, result: ofRun }),
  'run.checkpoint': method({
    scope: 'control',
    description: 'Writes a checkpoint after the current step.',
    params: ofRun,
    result: { type: 'object', required: ['run', 'step'], properties: { run: name, step: offset } },
  }),
  'run.stop': method({
    scope: 'control',
    description: 'Ends a run after its current step, with a checkpoint.',
    params: ofRun,
    result: ofRun,
  }),
} as const;

export type Methods = typeof methods;
export type MethodName = keyof Methods;

type ParamsOf<M extends MethodName> = Message<Methods[M]['params']>;
type ResultOf<M extends MethodName> = Message<Methods[M]['result']>;

// Written out: of a mapped type the compiler would compute the types of all methods at once, which is too much for it.
interface ParamsTable {
  readonly generate: ParamsOf<'generate'>;
  readonly describe: ParamsOf<'describe'>;
  readonly score: ParamsOf<'score'>;
  readonly plugins: ParamsOf<'plugins'>;
  readonly runs: ParamsOf<'runs'>;
  readonly 'run.start': ParamsOf<'run.start'>;
  readonly 'run.pause': ParamsOf<'run.pause'>;
  readonly 'run.resume': ParamsOf<'run.resume'>;
  readonly 'run.checkpoint': ParamsOf<'run.checkpoint'>;
  readonly 'run.stop': ParamsOf<'run.stop'>;
}
interface ResultTable {
  readonly generate: ResultOf<'generate'>;
  readonly describe: ResultOf<'describe'>;
  readonly score: ResultOf<'score'>;
  readonly plugins: ResultOf<'plugins'>;
  readonly runs: ResultOf<'runs'>;
  readonly 'run.start': ResultOf<'run.start'>;
  readonly 'run.pause': ResultOf<'run.pause'>;
  readonly 'run.resume': ResultOf<'run.resume'>;
  readonly 'run.checkpoint': ResultOf<'run.checkpoint'>;
  readonly 'run.stop': ResultOf<'run.stop'>;
}

/** With defaults filled in, as the server sees them. */
export type Params<M extends MethodName> = ParamsTable[M];
export type Result<M extends MethodName> = ResultTable[M];

type WithDefaults = 'count' | 'seed';
interface GivenTable extends Omit<ParamsTable, 'generate'> {
  readonly generate: Omit<ParamsTable['generate'], WithDefaults> & Partial<Pick<ParamsTable['generate'], WithDefaults>>;
}
/** As the client gives them: what has a default may be left out. */
export type GivenParams<M extends MethodName> = GivenTable[M];

export function isMethodName(value: string): value is MethodName {
  return Object.hasOwn(methods, value);
}
