/** The trainer on the smallest real backend: that it learns, that runs go on exactly, and what happens when something is wrong. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LogEvent, readBlob, readEvents } from '@gvu/core';
import type { ActiveAdapter } from '@gvu/models';
import { Runtime, readAdapter, toNumbers } from '@gvu/onnx';
import type { Reward } from '@gvu/rewards';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cispo, cispoConfig } from '../src/algorithms/cispo.ts';
import { reinforcePlusPlus, reinforcePlusPlusConfig } from '../src/algorithms/reinforce-plus-plus.ts';
import { rloo, rlooConfig } from '../src/algorithms/rloo.ts';
import { sapo, sapoConfig } from '../src/algorithms/sapo.ts';
import { vespo, vespoConfig } from '../src/algorithms/vespo.ts';
import {
  currentEvents,
  grpo,
  grpoConfig,
  listCheckpoints,
  newestAdapter,
  planRun,
  type RunConfig,
  type RunEvents,
  type TrainOptions,
  train,
} from '../src/index.ts';
import { readerReward, rightTokens, type ToyParts, toyConfig, toyParts } from './toy-run.ts';

let runtime: Runtime;
let root: string;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1, cacheLimit: 32 });
  root = await mkdtemp(join(tmpdir(), 'gvu-train-'));
});
afterAll(async () => {
  await runtime.dispose();
  await rm(root, { recursive: true });
});

let runs = 0;
const newFolder = () => join(root, `run-${runs++}`);
const source = { source: 'The test' };

async function run(config: RunConfig, parts: ToyParts = {}, options: Partial<TrainOptions> = {}) {
  const folder = options.folder ?? newFolder();
  return await train(toyParts(runtime, parts), { config, ...options, folder });
}

async function eventsOf(folder: string) {
  const events: LogEvent[] = [];
  for await (const event of readEvents(folder)) events.push(event);
  return currentEvents(events);
}

async function dataOf<Type extends keyof RunEvents>(folder: string, type: Type): Promise<RunEvents[Type][]> {
  // `type` decides which data it is, which a filter cannot say.
  return (await eventsOf(folder)).filter((event) => event.type === type).map(({ data }) => data as RunEvents[Type]);
}

async function adapterOf(folder: string): Promise<Buffer> {
  const newest = await newestAdapter(folder);
  return await readFile(join(newest?.path ?? '', 'adapter_model.safetensors'));
}

const scoreOf = async (folder: string) =>
  (await dataOf(folder, 'evaluation')).map(({ overall }) => overall.right ?? Number.NaN);

describe('training', () => {
  const long = { steps: 40, evaluation: { every: 0, perTag: 8, tests: 0 } };

  it.each([
    ['grpo', grpo(grpoConfig.parse({ beta: 0.01 }, source))],
    ['grpo with similar tokens weighing less', grpo(grpoConfig.parse({ tokenWeights: 'similarity' }, source))],
    [
      'grpo as dapo with an entropy bonus',
      grpo(grpoConfig.parse({ reduction: 'dapo', entropyCoefficient: 0.001 }, source)),
    ],
    ['cispo', cispo(cispoConfig.parse({}, source))],
    ['sapo', sapo(sapoConfig.parse({}, source))],
    ['vespo', vespo(vespoConfig.parse({}, source))],
    ['rloo', rloo(rlooConfig.parse({}, source))],
    ['reinforce++', reinforcePlusPlus(reinforcePlusPlusConfig.parse({}, source))],
  ])('raises the score with %s', async (_, algorithm) => {
    const { folder, reason } = await run(toyConfig(long), { algorithm });
    expect(reason).toBe('finished');
    const [before = 1, after = 0] = await scoreOf(folder);
    expect(before).toBeLessThan(0.35);
    expect(after).toBeGreaterThan(before + 0.2);
  });

  it('does not raise it when the reward has nothing to do with it', async () => {
    const blind: Reward = {
      ...rightTokens,
      score: async (rollouts) => ({
        values: rollouts.map(({ address }) => ((address.sample * 7 + address.step * 3) % 5) / 4),
      }),
    };
    const { folder } = await run(toyConfig(long), { reward: () => blind });
    const [before = 0, after = 1] = await scoreOf(folder);
    expect(after - before).toBeLessThan(0.15);
  });

  it('adds gradients up to what one micro-batch gives', async () => {
    const adapters = await Promise.all(
      [4, 8, 16].map(async (microBatch) => {
        const { folder } = await run(toyConfig({ microBatch, steps: 2 }));
        const { tensors } = await readAdapter(
          (await newestAdapter(folder))?.path ?? '',
          toyParts(runtime).backend.modules,
        );
        return [...tensors.values()].flatMap((tensor) => toNumbers(tensor));
      }),
    );
    for (const other of adapters.slice(1))
      other.forEach((value, i) => {
        expect(value).toBeCloseTo(adapters[0]?.[i] ?? Number.NaN, 5);
      });
  });

  it('is on policy with one update a step, and not with more', async () => {
    const once = await run(toyConfig({ steps: 2 }));
    for (const { metrics } of await dataOf(once.folder, 'step')) {
      expect(metrics['ratio/mean']).toBe(1);
      expect(metrics['ratio/max']).toBe(1);
      expect(metrics['sampler/mismatch']).toBeLessThan(1e-5);
    }
    const more = await run(toyConfig({ steps: 2, epochs: 3, updatesPerStep: 2 }));
    const steps = await dataOf(more.folder, 'step');
    for (const { metrics } of steps) {
      expect(metrics['ratio/max']).toBeGreaterThan(1.01);
      expect(metrics['sampler/mismatch']).toBeLessThan(1); // of the first pass only, whose second update is off policy
    }
    const progress = JSON.parse(
      await readFile(join((await listCheckpoints(more.folder)).at(-1)?.path ?? '', 'progress.json'), 'utf8'),
    );
    expect(progress).toMatchObject({ step: 2, updates: 12 });
  });

  it('logs every step, the rollouts that it keeps with their pictures, and evaluations', async () => {
    const { folder } = await run(toyConfig(), { reward: readerReward('live') });
    const types = (await eventsOf(folder)).map(({ type }) => type);
    expect(types[0]).toBe('run.started');
    expect(types.at(-1)).toBe('run.ended');
    const logged = await dataOf(folder, 'step');
    expect(logged.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { metrics, seconds } of logged) {
      const times = (kind: string) =>
        ['draw', 'decode', 'score', 'learn'].map((part) => metrics[`${kind}/${part}`] ?? -1);
      for (const [i, engine] of times('engine').entries()) {
        expect(engine).toBeGreaterThanOrEqual(0);
        expect(engine).toBeLessThanOrEqual(times('time')[i] ?? 0);
      }
      const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
      expect(sum(times('time'))).toBeLessThanOrEqual(seconds + 1e-9);
      expect(metrics['time/engine']).toBeCloseTo(sum(times('engine')), 9);
      expect(metrics['engine/learn']).toBeGreaterThan(0);
    }
    expect((await dataOf(folder, 'evaluation')).map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(
      (await dataOf(folder, 'evaluation')).every(({ judge }) => judge !== undefined && judge.right > judge.wrong),
    ).toBe(true);
    for (const { signs } of await dataOf(folder, 'evaluation')) {
      expect(signs?.saturation).toBeGreaterThan(0);
      expect(signs).toMatchObject({ diversity: null, kl: expect.any(Number) });
    }
    expect((await dataOf(folder, 'step')).every(({ metrics }) => (metrics.diversity ?? 0) > 0)).toBe(true);
    expect((await dataOf(folder, 'checkpoint')).map(({ step }) => step)).toEqual([2, 4, 6]);
    const rollouts = await dataOf(folder, 'rollout');
    expect(rollouts).toHaveLength(6 * 4);
    const [first] = rollouts;
    expect(first).toMatchObject({ step: 1, group: 0, sample: 0, teacher: { kind: 'live', version: '1+0' } });
    expect(first?.traces.read?.logProbs).toHaveLength(1);
    expect((await readBlob(folder, first?.image ?? '')).subarray(1, 4).toString()).toBe('PNG');
    expect((await readdir(join(folder, 'checkpoints'))).toSorted()).toEqual(['step-000004', 'step-000006']);
  });

  it('measures how far it has gone from the base, as the algorithm does that needs it, whoever asks for it', async () => {
    // The evaluation after step 3 and step 4 meet the same policy on other drawings.
    const config = toyConfig({ steps: 4, promptsPerStep: 64, evaluation: { every: 3, perTag: 150, tests: 0 } });
    const { folder } = await run(config, { algorithm: grpo(grpoConfig.parse({ beta: 1e-6 }, source)) });
    const [before, after] = (await dataOf(folder, 'evaluation')).map(({ signs }) => signs?.kl ?? Number.NaN);
    const step = (await dataOf(folder, 'step'))[3]?.metrics.kl ?? Number.NaN;
    expect(before).toBe(0);
    expect(step).toBeGreaterThan(0.01);
    expect(Math.abs((after ?? Number.NaN) / step - 1)).toBeLessThan(0.1);
    const unasked = await run(config);
    expect((await dataOf(unasked.folder, 'step'))[3]?.metrics.kl).toBeUndefined();
    expect((await dataOf(unasked.folder, 'evaluation'))[1]?.signs?.kl).toBeCloseTo(after ?? Number.NaN, 3);
  });
});

describe('going on', () => {
  it.each([
    ['a plain run', {}, {}],
    [
      'an average as reference and teacher',
      { reference: 'ema', emaDecay: 0.9 },
      { reward: readerReward('ema'), algorithm: grpo(grpoConfig.parse({ beta: 0.1 }, source)) },
    ],
    ['several updates a step', { epochs: 2, updatesPerStep: 2 }, {}],
  ])('from where it was stopped is bit-equal to never having stopped: %s', async (_, changes, parts: ToyParts) => {
    const config = toyConfig({ steps: 7, ...changes });
    const whole = await run(config, parts);
    const stop = new AbortController();
    const stopped = await run(config, parts, {
      signal: stop.signal,
      onProgress: ({ step }) => step === 3 && stop.abort(),
    });
    expect(stopped).toMatchObject({ step: 3, reason: 'stopped' });
    const rest = await run(config, parts, { folder: stopped.folder });
    expect(rest).toMatchObject({ step: 7, reason: 'finished' });
    expect((await adapterOf(rest.folder)).equals(await adapterOf(whole.folder))).toBe(true);
    expect(await scoreOf(rest.folder)).toEqual(await scoreOf(whole.folder));
    const metrics = async (folder: string) =>
      (await dataOf(folder, 'step')).map((step) => [
        step.step,
        step.metrics['reward/mean'],
        step.metrics['gradient/norm'],
      ]);
    expect(await metrics(rest.folder)).toEqual(await metrics(whole.folder));
  });

  it('after SIGKILL at any moment ends with the same bits', { timeout: 600_000 }, async () => {
    const config = toyConfig({ steps: 40, checkpoint: { every: 3 } });
    const whole = await run(config);
    const folder = newFolder();
    // Seeds of the moments, printed by a failure: milliseconds after the first step was heard of.
    for (const delayMs of [0, 35, 140]) await killAfterFirstStep(folder, delayMs);
    const rest = await run(config, {}, { folder });
    expect(rest).toMatchObject({ step: 40, reason: 'finished' });
    expect((await adapterOf(folder)).equals(await adapterOf(whole.folder))).toBe(true);
    expect((await dataOf(folder, 'step')).map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('does nothing when all is done', async () => {
    const config = toyConfig();
    const { folder } = await run(config);
    const before = (await eventsOf(folder)).length;
    expect(await run(config, {}, { folder })).toMatchObject({ step: 6, reason: 'finished' });
    expect((await eventsOf(folder)).length).toBe(before);
  });

  it('refuses another configuration, and names what differs', async () => {
    const { folder } = await run(toyConfig());
    await expect(run(toyConfig({ learningRate: 0.1, seed: 2 }), {}, { folder })).rejects.toMatchObject({
      code: 'GVU_RUN_CONFIG',
      message: expect.stringMatching(/learningRate: 0.05 there, 0.1 here/),
    });
    await expect(run(toyConfig({ seed: 2 }), {}, { folder })).rejects.toThrow('seed: 1 there, 2 here');
    await writeFile(join(folder, 'config.json'), '{');
    await expect(run(toyConfig(), {}, { folder })).rejects.toMatchObject({ code: 'GVU_RUN_CONFIG' });
  });

  it('refuses a checkpoint of which any file is damaged, and goes on from the one before when it is removed', async () => {
    const config = toyConfig();
    const stop = new AbortController();
    const { folder } = await run(
      config,
      {},
      { signal: stop.signal, onProgress: ({ step }) => step === 5 && stop.abort() },
    );
    const newest = (await listCheckpoints(folder)).at(-1)?.path ?? '';
    expect(newest).toMatch(/step-000005$/);
    const damage: Readonly<Record<string, (path: string, bytes: Buffer) => Promise<void>>> = {
      'cut short': (path, bytes) => writeFile(path, bytes.subarray(0, bytes.length - 1)),
      emptied: (path) => writeFile(path, ''),
      'a flipped bit': (path, bytes) => {
        const flipped = Buffer.from(bytes);
        // Near the end: in the values of tensors, not in their headers.
        flipped[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
        return writeFile(path, flipped);
      },
      removed: (path) => rm(path),
    };
    const files = (await readdir(newest, { recursive: true })).filter((name) => name !== 'adapter').sort();
    expect(files).toEqual([
      'SHA256SUMS',
      'adapter/adapter_config.json',
      'adapter/adapter_model.safetensors',
      'optimiser.safetensors',
      'progress.json',
    ]);
    for (const name of files) {
      const path = join(newest, name);
      const bytes = await readFile(path);
      for (const [kind, doDamage] of Object.entries(damage)) {
        await doDamage(path, bytes);
        await expect(run(config, {}, { folder }), `${name} ${kind}`).rejects.toMatchObject({
          code: 'GVU_RUN_CHECKPOINT',
          message: expect.stringMatching(new RegExp(`step-000005.*${name}`)),
        });
        if (name.startsWith('adapter')) await expect(newestAdapter(folder)).rejects.toThrow('GVU_RUN_CHECKPOINT');
      }
      await writeFile(path, bytes);
    }
    await rm(newest, { recursive: true });
    expect(await run(config, {}, { folder })).toMatchObject({ step: 6, reason: 'finished' });
  });
});

describe('what goes wrong', () => {
  it('stops a run whose reward cannot tell drawings apart, with a reason', async () => {
    const constant: Reward = { ...rightTokens, score: async (rollouts) => ({ values: rollouts.map(() => 0.5) }) };
    const result = await run(toyConfig({ steps: 30, guards: { idleSteps: 4 } }), { reward: () => constant });
    expect(result).toMatchObject({
      step: 4,
      reason: 'guard',
      message: expect.stringContaining('nothing to learn from'),
    });
    expect(await dataOf(result.folder, 'guard')).toMatchObject([{ step: 4, guard: 'idle', level: 'stop' }]);
  });

  it('learns nothing from drawings that cannot be scored, and says how many they are', async () => {
    const some: Reward = {
      ...rightTokens,
      score: async (rollouts, options) => {
        const { values } = await rightTokens.score(rollouts, options);
        return { values: values.map((value, row) => (row % 4 === 3 ? Number.NaN : value)) };
      },
    };
    const { folder, reason } = await run(toyConfig({ steps: 3 }), { reward: () => some });
    expect(reason).toBe('finished');
    for (const { metrics } of await dataOf(folder, 'step')) expect(metrics.unscorable).toBe(0.25);
    const unscored = (await dataOf(folder, 'rollout')).filter(({ reward }) => reward === null);
    expect(unscored).toHaveLength(3);
    for (const { advantage } of unscored) expect(advantage).toBe(0);
  });

  it('ends with the error of a reward, says so in the log, and goes on later from the checkpoint', async () => {
    const config = toyConfig();
    let broken = true;
    const moody: Reward = {
      ...rightTokens,
      score: async (rollouts, options) => {
        if (broken && rollouts[0]?.address.step === 3) throw new Error('out of mood');
        return await rightTokens.score(rollouts, options);
      },
    };
    const folder = newFolder();
    await expect(run(config, { reward: () => moody }, { folder })).rejects.toMatchObject({ code: 'GVU_REWARD_FAILED' });
    expect((await dataOf(folder, 'run.ended')).at(-1)).toMatchObject({
      reason: 'failed',
      message: expect.stringContaining('out of mood'),
    });
    broken = false;
    expect(await run(config, { reward: () => moody }, { folder })).toMatchObject({ step: 6, reason: 'finished' });
    const { folder: whole } = await run(config);
    expect((await adapterOf(folder)).equals(await adapterOf(whole))).toBe(true);
  });

  it('loses nothing when a checkpoint cannot be written', async () => {
    const config = toyConfig({ steps: 4 });
    const folder = newFolder();
    await mkdir(folder);
    await writeFile(join(folder, 'checkpoints'), 'in the way');
    await expect(run(config, {}, { folder })).rejects.toMatchObject({
      code: 'GVU_RUN_WRITE',
      message: expect.stringContaining('step 2'),
    });
    await rm(join(folder, 'checkpoints'));
    expect(await run(config, {}, { folder })).toMatchObject({ step: 4, reason: 'finished' });
    expect((await listCheckpoints(folder)).map(({ step }) => step)).toEqual([2, 4]);
  });

  it('does not start with prompts that cannot be spread over the updates', async () => {
    await expect(run(toyConfig({ promptsPerStep: 4, updatesPerStep: 3 }))).rejects.toMatchObject({
      code: 'GVU_RUN_CONFIG',
    });
  });

  it('is held between steps, writes checkpoints on demand, and lends out its adapter', async () => {
    const config = toyConfig({ checkpoint: { every: 0 }, evaluation: { every: 0, perTag: 1, tests: 0 } });
    const stop = new AbortController();
    const values: number[][] = [];
    const asked: number[] = [];
    let adapter: ActiveAdapter | undefined;
    const result = await run(
      config,
      {},
      {
        signal: stop.signal,
        onAdapter: (lent) => {
          adapter = lent;
        },
        beforeStep: ({ step, checkpoint }) => {
          asked.push(step);
          if (step === 1) return;
          return (async () => {
            values.push([...toNumbers((await adapter?.variables.read(['adapter']))?.adapter ?? missing())]);
            if (step !== 2) return;
            await checkpoint();
            await checkpoint();
            stop.abort();
          })();
        },
      },
    );
    expect(result).toMatchObject({ step: 2, reason: 'stopped' });
    expect(asked).toEqual([0, 1, 2]);
    expect(values).toHaveLength(2);
    expect(values[0]).not.toEqual(values[1]);
    expect((await dataOf(result.folder, 'checkpoint')).map(({ step }) => step)).toEqual([2]);
  });

  it('stops when its time is over', async () => {
    const result = await run(toyConfig({ steps: 1000, maxMinutes: 0.0001 }));
    expect(result).toMatchObject({ reason: 'time', step: 1 });
  });
});

it('plans what it is going to do', () => {
  const { lines, json } = planRun(toyParts(runtime), toyConfig({ steps: 10, evaluation: { every: 4, perTag: 2 } }));
  expect(json).toMatchObject({
    trainable: 2 * (8 + 5),
    step: { drawings: 16, microBatches: 2, rows: 8, updates: 1 },
    run: { drawings: 160 },
    evaluation: { times: 4, drawings: 8 },
  });
  expect(lines.join('\n')).toContain('16 drawings');
  const blind = planRun(toyParts(runtime), toyConfig({ steps: 10, evaluation: { every: 4, perTag: 0 } }));
  expect(blind.json).toMatchObject({ evaluation: { times: 0, drawings: 0 } });
  expect(blind.lines.join('\n')).toMatch(/^evaluation +none: no prompts are held out/m);
});

function missing(): never {
  throw new Error('There is no adapter.');
}

/** Runs the process until `delayMs` after its first step of this session, then kills it. */
async function killAfterFirstStep(folder: string, delayMs: number): Promise<void> {
  const program = fileURLToPath(new URL('./toy-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@gvu/source', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    if (!String(text).includes('step')) continue;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill('SIGKILL');
    break;
  }
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
}
