/** A reproduction from the command line: the plan, its runs, the report. */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import type { PluginHost } from '@gvu/core';
// Not when they are needed: from source, nothing can be imported any more after a Ctrl-C, which also ends the compiler.
import {
  benchmarks,
  isDone,
  type ReproductionReport,
  readReproduction,
  readRun,
  type ScoreGroup,
  wordsFolder,
  writeReproduction,
} from '@gvu/evals';
import type { ReproduceOptions } from '../commands/reproduce.ts';
import type { EngineOptions } from '../commands/shared-options.ts';
import { resolveOptions, withBackendParts } from '../config/resolve-parts.ts';
import { resolveConfig } from '../config/sources.ts';
import { cliErrors } from '../errors.ts';
import { openHost } from '../host.ts';
import { exitCodes, Stopped } from '../terminal/failure.ts';
import { onInterrupt } from '../terminal/interrupt.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { textTable } from '../terminal/table.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { duration } from '../terminal/time.ts';
import { requireFree } from '../training/run-name.ts';
import { expectedSeconds } from './expected-time.ts';
import { measureWords } from './measure-words.ts';
import { Overview } from './overview.ts';
import {
  type Part,
  type PlannedRun,
  parts,
  planReproduction,
  type ReproductionPlan,
  readPlan,
  requireSame,
  scoreTables,
  writePlan,
} from './plan.ts';
import { inParallel, trainInChild } from './workers.ts';

const preset = 'gvu';

export async function runReproduction(options: ReproduceOptions): Promise<void> {
  const { out: folder, dryRun, json } = options;
  const chosen = chosenParts(options.only);
  const there = await readPlan(folder);
  if (!there && dryRun === undefined) await requireFree(folder);
  const given = [options.seeds, options.steps, options.models, options.set].some((value) => value !== undefined);
  await using host = await openHost();
  const asked = there && !given ? undefined : await askedPlan(host, options);
  if (there && asked) requireSame(folder, there, asked);
  const plan = there ?? asked;
  if (!plan) throw new RangeError('unreachable: without a plan in the folder, one is asked for');
  for (const run of plan.runs) resolveOptions(host, run.config); // every problem before the first run
  if (dryRun) return await showPlan(plan, { chosen, folder, options });
  if (!there) await writePlan(folder, plan);

  const failures = options.reportOnly ? [] : await work(host, plan, { chosen, folder, options });
  const report = await reportOf(plan, { folder, options });
  if (json) printJson({ folder, ...report, failures });
  else print(`Report: ${report.page}\nMarkdown: ${report.markdown}\nNumbers: ${report.json}`);
  if (failures.length > 0) process.exitCode = exitCodes.failed;
}

/** Throws GVU_CLI_USAGE. */
function chosenParts(given: readonly string[] | undefined): readonly Part[] {
  const unknown = (given ?? []).filter((name) => !parts.some((part) => part === name));
  if (unknown.length > 0)
    throw cliErrors.error('GVU_CLI_USAGE', `There is no part ${unknown.map((name) => `'${name}'`).join(', ')}.`, {
      hint: `The parts are ${parts.join(', ')}.`,
    });
  return parts.filter((part) => given === undefined || given.includes(part));
}

async function askedPlan(
  host: PluginHost,
  { models, seeds = 3, steps, set }: ReproduceOptions,
): Promise<ReproductionPlan> {
  const config = withBackendParts(host, await resolveConfig({ preset, flags: { steps }, set }));
  const model = (name: string) => (models === undefined ? name : resolve(models, name));
  const bases = { weak: model('weak'), regular: model('regular') };
  const [reward] = resolveOptions(host, config).rewards;
  const command = [
    `gvu reproduce --seeds ${seeds}`,
    ...(steps === undefined ? [] : [`--steps ${steps}`]),
    ...(models === undefined ? [] : [`--models ${models}`]),
    ...(set ?? []).map((value) => `--set '${value}'`),
  ].join(' ');
  return planReproduction({
    command,
    config,
    bases,
    seeds,
    teacher: String(reward?.options.teacher),
    groups: await groupsOf(host, bases.regular),
  });
}

/** The categories of the backend's own benchmarks. */
async function groupsOf(host: PluginHost, model: string): Promise<readonly ScoreGroup[]> {
  const groups: ScoreGroup[] = [];
  for (const { benchmark: id, title, paper } of scoreTables) {
    const benchmark = await host.create(benchmarks, id, { options: { model }, deps: undefined });
    const items = benchmark.kind === 'generation' ? benchmark.items : [];
    groups.push({ title, paper, tags: [...new Set(items.map(({ tag }) => tag))] });
  }
  return groups;
}

interface Work {
  readonly chosen: readonly Part[];
  readonly folder: string;
  readonly options: ReproduceOptions;
}

/** Several processes share the cores: each has one thread then, unless the user says more. */
function engineOf({ device, threads, workers }: ReproduceOptions): EngineOptions {
  const each = threads ?? (workers > 1 ? 1 : undefined);
  return { device, ...(each !== undefined && { threads: each }) };
}

/** What is to be done of the plan, in its order: those that are finished are not. */
async function openRuns({ runs }: ReproductionPlan, { chosen, folder }: Work): Promise<readonly PlannedRun[]> {
  const open: PlannedRun[] = [];
  for (const run of runs) {
    const path = join(folder, run.folder);
    const done = existsSync(join(path, 'events.jsonl')) && isDone(await readRun(path));
    if (chosen.includes(run.part) && !done) open.push(run);
  }
  return open;
}

/** Trains and measures what is not done yet. Gives the runs that failed; throws `Stopped` after a Ctrl-C, with the report written. */
async function work(host: PluginHost, plan: ReproductionPlan, given: Work): Promise<readonly string[]> {
  const { chosen, folder, options } = given;
  const engine = engineOf(options);
  using interrupt = onInterrupt('Ending the runs after their steps, with checkpoints.');
  using status = new StatusLine(screenOf(process.stderr));
  const quiet = options.quiet === true || options.json === true;
  const { signal } = interrupt;
  if (!quiet) note(`Reproduction: ${folder} (to watch: gvu serve --runs ${folder})`);

  for (const base of chosen.includes('words') ? (['weak', 'regular'] as const) : []) {
    if (signal.aborted || existsSync(join(folder, wordsFolder(base), 'words.json'))) continue;
    const config = plan.runs.find((run) => run.base === base)?.config;
    if (!config) continue;
    const onProgress = (done: number, all: number) => {
      if (!quiet) status.show(`words, ${base} base: ${done}/${all} wordings`);
    };
    try {
      await measureWords(host, {
        folder,
        base,
        config: withModel(config, plan.bases[base]),
        engine,
        signal,
        onProgress,
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  const open = await openRuns(plan, given);
  const overview = new Overview(open, plan.runs.filter(({ part }) => chosen.includes(part)).length);
  const failures: string[] = [];
  await inParallel(open, { limit: options.workers, signal }, async (run) => {
    const { reason, message, step } = await trainInChild(
      { config: run.config, folder: join(folder, run.folder), engine },
      {
        signal,
        onProgress: (progress) => {
          overview.note(run, progress);
          if (!quiet) status.show(overview.line());
        },
      },
    );
    overview.end(run);
    if (reason === 'failed') failures.push(`${run.folder}: ${message}`);
    if (!quiet && reason !== 'stopped')
      status.above(`${run.folder}: ${reason === 'finished' ? `${step} steps` : `${reason}: ${message}`}`);
  });
  if (signal.aborted) {
    await reportOf(plan, given);
    throw new Stopped(`Stopped. To go on: gvu reproduce --out ${folder}`);
  }
  return failures;
}

function withModel(config: PlannedRun['config'], model: string): PlannedRun['config'] {
  return { ...config, backend: { ...config.backend, options: { ...config.backend.options, model } } };
}

async function reportOf(
  plan: ReproductionPlan,
  { folder, options }: Pick<Work, 'folder' | 'options'>,
): Promise<ReproductionReport> {
  const reproduction = await readReproduction(folder, { groups: plan.groups, places: plan.runs });
  const { report = join(folder, 'report') } = options;
  const [cpu] = cpus();
  return await writeReproduction(reproduction, {
    folder,
    directory: report,
    facts: [
      { label: 'command', text: plan.command },
      { label: 'machine', text: `${cpu?.model.trim()}, ${cpus().length} logical cores` },
    ],
  });
}

async function showPlan(plan: ReproductionPlan, given: Work): Promise<void> {
  const { options, folder } = given;
  const open = await openRuns(plan, given);
  using interrupt = onInterrupt('Stopping.');
  const [first] = open;
  if (first && options.quiet === undefined) note('Measuring a few steps ...');
  const each = first ? await expectedSeconds(first.config, engineOf(options), interrupt.signal) : 0;
  const seconds = Math.ceil(open.length / options.workers) * each;
  if (options.json) {
    printJson({ folder, runs: open, secondsEach: each, seconds });
    return;
  }
  const rows = open.map(({ folder: name, part, title, base, seed, config: { steps, promptsPerStep, groupSize } }) => [
    name,
    part,
    title,
    base,
    String(seed),
    `${steps} x ${promptsPerStep} x ${groupSize}`,
  ]);
  if (rows.length > 0)
    print(
      textTable(
        [['run', 'part', 'setting', 'base', 'seed', 'steps x prompts x drawings'], ...rows],
        screenOf(process.stdout),
      ),
    );
  print(
    open.length === 0
      ? `Every run of ${folder} is done.`
      : `\n${open.length} runs of some ${duration(each)} each: ${duration(seconds)} with ${options.workers === 1 ? 'one worker' : `${options.workers} workers`}.`,
  );
}
