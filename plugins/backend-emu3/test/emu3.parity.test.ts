/**
 * Emu3's language model against transformers 5.18, from a checkpoint in its layout: sequences, logits of a drawing with its forced line
 * ends, drawing under given noise with guidance, the policy that is trained, the log-probabilities of a prompt. Sizes, prompts and options
 * are the fixture's. It has no image tokenizer; the codebook that stands in for it is not compared.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  allStates,
  type Backend,
  createPolicy,
  type Drawing,
  drawProgram,
  imagePlaces,
  routedDecoder,
  textLogits,
} from '@gvu/models';
import {
  compile,
  constantData,
  createGraph,
  openSafetensors,
  output,
  Runtime,
  readTensors,
  type TensorData,
  tensorData,
  toNumbers,
  writeSafetensors,
} from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEmu3Backend } from '../src/backend.ts';
import { codebookName, type Emu3Checkpoint, openEmu3 } from '../src/model.ts';
import { emu3Sequences } from '../src/sequences.ts';

interface Settings {
  readonly prompt: string;
  readonly negative: string;
  readonly question: string;
  readonly grid: readonly [number, number];
  readonly cfg_scale: number;
  readonly top_k: number;
}

const logitTolerance = 5e-5;
/** Log-probabilities take in the rounding of a whole row of logits. */
const logProbTolerance = 1e-4;
const source = join(resolve(process.env.GVU_FIXTURES ?? join(import.meta.dirname, '../../../fixtures')), 'emu3-tiny');

let folder: string;
let runtime: Runtime;
let settings: Settings;
let rows: number;
let columns: number;
let expected: ReadonlyMap<string, TensorData>;
let opened: Emu3Checkpoint;
let backend: Backend;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gvu-emu3-'));
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json'])
    await cp(join(source, name), join(folder, name));
  const config = JSON.parse(await readFile(join(source, 'config.json'), 'utf8'));
  const model = await readTensors((await openSafetensors(join(source, 'model.safetensors'))).tensors.values());
  const shape: number[] = [config.vq_config.codebook_size, config.vq_config.embed_dim];
  const codes = { dtype: 'float32', shape, data: new Float32Array((shape[0] ?? 0) * (shape[1] ?? 0)) } as const;
  await writeSafetensors(join(folder, 'model.safetensors'), new Map([...model, [codebookName, codes]]));

  settings = JSON.parse(await readFile(join(source, 'prompts.json'), 'utf8'));
  [rows, columns] = settings.grid;
  runtime = await Runtime.create({ threads: 1 });
  expected = await readTensors((await openSafetensors(join(source, 'expected.safetensors'))).tensors.values());
  opened = await openEmu3(folder, { target: 'cpu', dtype: 'float32' });
  const { negative: negativePrompt, cfg_scale: guidance, top_k: topK } = settings;
  backend = await createEmu3Backend(
    { model: folder, rows, columns, guidance, negativePrompt, topK, dtype: 'float32' },
    { runtime },
  );
});
afterAll(async () => {
  await runtime.dispose();
  await rm(folder, { recursive: true });
});

const values = (name: string): number[] => {
  const tensor = expected.get(name);
  if (!tensor) throw new Error(`the fixture lacks ${name}`);
  return [...toNumbers(tensor)];
};
const sequences = () => emu3Sequences(opened.tokens, { rows, columns, negativePrompt: settings.negative });
const picture = () => ({ rows, columns, tokens: Int32Array.from(values('gen.code_grid')) });

it('sequences are those of the reference', () => {
  const draw = sequences().draw(settings.prompt);
  expect(draw).toEqual(values('gen.cond_ids'));
  expect(sequences().unconditional?.(draw)).toEqual(values('gen.uncond_ids'));
  expect(sequences().read(settings.question, picture())).toEqual(values('read.message_ids'));
});

/** Logits [T, vocabulary] after each token of a sequence. */
async function logitsOf(ids: readonly number[], { model }: Pick<Emu3Checkpoint, 'model'>): Promise<readonly number[]> {
  const graph = createGraph({ name: 'forward', target: model.target });
  const routed = routedDecoder(graph, model, { positions: ids.length });
  const batch = {
    ids: constantData(graph, tensorData('int64', [1, ids.length], ids)),
    positions: constantData(graph, tensorData('int64', [1, ids.length], [...ids.keys()])),
    real: constantData(graph, tensorData('float32', [1, ids.length], new Array(ids.length).fill(1))),
  };
  const last = allStates(routed, batch).at(-1);
  if (!last) throw new Error('the model has layers');
  output('logits', textLogits(routed, last, imagePlaces(routed, batch.ids)));
  await using session = await runtime.load(compile(graph));
  const { logits } = await session.run<'logits'>({});
  return toNumbers(logits);
}

it('logits of a drawing with its line ends, and of a reading', async () => {
  const drawing = [...values('gen.cond_ids'), ...values('gen.tokens').slice(0, -1)];
  const reading = [...values('read.message_ids'), ...values('read.target_ids')];
  const exactly = await openEmu3(folder, { target: 'reference', dtype: 'float64' });
  for (const [name, ids] of Object.entries({
    'gen.teacher_forced_logits': drawing,
    'read.logits_last12': reading,
  })) {
    const theirs = values(name);
    const [ours, exact] = [await logitsOf(ids, opened), await logitsOf(ids, exactly)];
    // The reference is a float32 result with an error of its own.
    const own = difference(theirs, exact.slice(-theirs.length));
    expect(own, `${name}: the reference must itself be right`).toBeLessThan(1e-4);
    expect(difference(ours.slice(-theirs.length), theirs), name).toBeLessThan(logitTolerance + own);
  }
});

/** The drawing of the reference, with its own log-probabilities. */
function reference(): Drawing {
  return {
    prompt: settings.prompt,
    tokens: Int32Array.from(values('gen.code_grid')),
    logProbs: Float32Array.from(values('gen.logprobs_cond_visual_only')),
    samplerLogProbs: Float32Array.from(values('gen.logprobs_of_sampling_law')),
  };
}

it('a guided drawing: tokens, log-probabilities of the policy and of the sampler', async () => {
  const wanted = reference();
  const [prompt, without] = [values('gen.cond_ids'), values('gen.uncond_ids')];
  const length = Math.max(prompt.length, without.length) + 2;
  const steps = rows * columns;
  const program = drawProgram(
    opened.model,
    { rows: 1, length },
    {
      steps,
      sampler: backend.sampler,
      guidance: { scale: settings.cfg_scale, formula: 'u + w(c - u)' },
      lineEnds: { columns, id: opened.tokens.control.lineEnd },
    },
  );
  // The fixture draws by noise on the scores, the engine by the place of a number in the distribution: the middle of the token's share.
  const scores = values('gen.free_scores');
  const codes = scores.length / steps;
  const uniform = Array.from(wanted.tokens, (token, step) =>
    middleOf(token, kept(scores.slice(step * codes, (step + 1) * codes), settings.top_k)),
  );
  await using session = await runtime.load(program);
  const found = await session.run({
    ...leftPadded([prompt, without], length),
    uniform: tensorData('float32', [steps, 1, 1], uniform),
  });
  const numbers = (name: string) => toNumbers(found[name] ?? tensorData('float32', [0], []));
  expect(numbers('tokens')).toEqual([...wanted.tokens]);
  expect(difference(numbers('policy'), [...wanted.logProbs])).toBeLessThan(logProbTolerance);
  // Guidance multiplies the distance between two rows of logits, and their errors with it.
  expect(difference(numbers('sampler'), [...wanted.samplerLogProbs])).toBeLessThan(
    logProbTolerance * settings.cfg_scale,
  );
});

it.each(['float32', 'float16'] as const)('draws and learns on CUDA in %s, line ends too', async (dtype) => {
  const { model, tokens } = await openEmu3(folder, { target: 'cuda', dtype });
  const steps = rows * columns;
  const lineEnds = { columns, id: tokens.control.lineEnd };
  const guidance = { scale: settings.cfg_scale, formula: 'u + w(c - u)' } as const;
  // Building a program for CUDA refuses operators without a kernel there.
  expect(() =>
    drawProgram(model, { rows: 2, length: 32 }, { steps, sampler: backend.sampler, guidance, prompts: 1, lineEnds }),
  ).not.toThrow();
  const policy = createPolicy(model, { steps, lineEnds, padding: 0, promptIds: () => [] });
  const graph = createGraph({ name: 'policy', target: 'cuda' });
  output('logp', policy.build(graph, { rows: 2, promptLength: 16, temperature: 1, checkpointing: true }).logp);
  expect(() => compile(graph)).not.toThrow();
});

it('the policy that is trained: log-probabilities of drawn tokens, none of line ends', async () => {
  const wanted = reference();
  const { trainable } = backend;
  const promptLength = trainable.promptLength([settings.prompt]);
  const graph = createGraph({ name: 'policy', target: 'cpu' });
  const terms = trainable.build(graph, { rows: 1, promptLength, temperature: 1 });
  expect(terms.logp.shape).toEqual([1, rows * columns]);
  output('logp', terms.logp);
  await using session = await runtime.load(compile(graph));
  const { logp } = await session.run(trainable.feeds([wanted], { promptLength }), { fetch: ['logp'] });
  expect(difference(toNumbers(logp), [...wanted.logProbs])).toBeLessThan(logProbTolerance);
});

it('the log-probabilities of the prompt, given the drawing', async () => {
  const image = { tokens: picture().tokens };
  const [trace] = await backend.read([{ image, instruction: settings.question, text: settings.prompt }]);
  const logProbs = [...(trace?.logProbs ?? [])];
  expect(difference(logProbs, values('read.logprobs'))).toBeLessThan(logProbTolerance);
  const reward = Math.exp(logProbs.reduce((sum, value) => sum + value, 0) / logProbs.length);
  expect(Math.abs(reward / (values('read.reward')[0] ?? Number.NaN) - 1)).toBeLessThan(1e-4);
});

function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

/** Scores with all but the k largest far below. */
function kept(scores: readonly number[], k: number): readonly number[] {
  const least = [...scores].sort((a, b) => b - a)[k - 1] ?? Number.NEGATIVE_INFINITY;
  return scores.map((score) => (score >= least ? score : Number.NEGATIVE_INFINITY));
}

/** The middle of a token's share of [0, 1), tokens by likelihood. */
function middleOf(token: number, scores: readonly number[]): number {
  const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const top = Math.max(...scores);
  const weights = order.map((i) => Math.exp((scores[i] ?? 0) - top));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const place = order.indexOf(token);
  const before = weights.slice(0, place).reduce((sum, value) => sum + value, 0);
  return (before + (weights[place] ?? 0) / 2) / total;
}

function leftPadded(sequencesOf: readonly (readonly number[])[], length: number) {
  const shape = [sequencesOf.length, length];
  const table = (cell: (ids: readonly number[], place: number) => number) =>
    sequencesOf.flatMap((ids) => Array.from({ length }, (_, i) => cell(ids, i - (length - ids.length))));
  const [ids, positions, real] = [
    table((row, place) => row[place] ?? 0),
    table((_, place) => Math.max(place, 0)),
    table((_, place) => (place < 0 ? 0 : 1)),
  ];
  return {
    ids: tensorData('int64', shape, ids),
    positions: tensorData('int64', shape, positions),
    real: tensorData('float32', shape, real),
  };
}
