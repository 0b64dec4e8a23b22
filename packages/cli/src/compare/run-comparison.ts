/** A comparison from the command line: its runs one after the other in one runtime, then the report. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PluginHost } from '@gvu/core';
// Not when they are needed: from source, nothing can be imported any more after a Ctrl-C, which also ends the compiler.
import { comparisonText, type RewardComparison, readComparison, writeComparison } from '@gvu/evals';
import { Runtime } from '@gvu/onnx';
import { type RunConfig, train } from '@gvu/rl';
import type { CompareCommandOptions } from '../commands/compare.ts';
import { configSourcesOf } from '../commands/config-options.ts';
import { runtimeOptions } from '../commands/shared-options.ts';
import { flagAssignments } from '../config/flags.ts';
import { createParts, resolveOptions, withBackendParts } from '../config/resolve-parts.ts';
import { resolveConfig } from '../config/sources.ts';
import { cliErrors } from '../errors.ts';
import { openHost } from '../host.ts';
import { runsFolder } from '../runs/run-folder.ts';
import { openServerBeside } from '../serve/server-beside.ts';
import { Stopped } from '../terminal/failure.ts';
import { onInterrupt } from '../terminal/interrupt.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { note, print, printJson, screenOf } from '../terminal/terminal.ts';
import { progressLine } from '../training/progress-line.ts';
import { requireFree } from '../training/run-name.ts';
import {
  type ComparisonPlan,
  type PlannedRun,
  planComparison,
  plannedRuns,
  readPlan,
  requireSame,
  writePlan,
} from './plan.ts';

export async function runComparison(options: CompareCommandOptions): Promise<void> {
  const { json, quiet } = options;
  const folder = options.out ?? freeFolder(new Date());
  const there = await readPlan(folder);
  const asked = await askedFor(folder, options, there);
  await using host = await openHost((asked?.config ?? there?.config)?.plugins);
  const plan = planOf(folder, { host, there, asked });
  const runs = plannedRuns(plan).map((run) => ({ ...run, config: resolveOptions(host, run.config) }));
  if (options.dryRun) {
    if (json) printJson({ folder, runs });
    else print(runs.map((run) => `${join(folder, run.folder)}: ${run.config.steps} steps`).join('\n'));
    return;
  }
  if (!there) await writePlan(folder, plan);

  {
    await using runtime = await Runtime.create(runtimeOptions(options));
    using interrupt = onInterrupt('Ending after this step, with a checkpoint.');
    const { signal } = interrupt;
    if (!quiet) note(`Comparison: ${folder}`);
    await using server = options.serve && (await openServerBeside({ runs: folder, host, signal }, options));
    for (const line of server?.lines ?? []) note(line);
    for (const [i, run] of runs.entries()) {
      const label = `${i + 1}/${runs.length} ${run.arm}, seed ${run.seed}`;
      await trainOne(run, {
        folder,
        label,
        quiet: quiet === true || json === true,
        signal,
        parts: (config) => createParts(host, config, runtime),
      });
    }
  }
  const comparison = await readComparison(folder, runs);
  const report = await writeComparison(folder, comparison);
  if (json) printJson({ folder, report, ...plainResult(comparison) });
  else print(`${comparisonText(comparison, screenOf(process.stdout))}\n\nReport: ${report}`);
}

interface Asked {
  readonly config: RunConfig;
  readonly rewards: readonly string[];
  readonly seeds: number;
}

/** What the command line asks for; undefined when it only names a folder that holds a comparison. */
async function askedFor(
  folder: string,
  options: CompareCommandOptions,
  there: ComparisonPlan | undefined,
): Promise<Asked | undefined> {
  const { reward: rewards = [], preset, config: file, set, seeds } = options;
  const shared = { ...options, reward: undefined };
  const given = [preset, file, set].some((source) => source !== undefined) || flagAssignments(shared).length > 0;
  if (there && rewards.length === 0 && !given) return undefined;
  if (!there) await requireFree(folder);
  return { config: await resolveConfig(configSourcesOf(shared)), rewards, seeds };
}

/** That of the folder, of the command line, or of both when they agree. */
function planOf(
  folder: string,
  { host, there, asked }: { host: PluginHost; there: ComparisonPlan | undefined; asked: Asked | undefined },
): ComparisonPlan {
  if (there && !asked) return there;
  if (!asked) throw new RangeError('unreachable: without a comparison in the folder, one is asked for');
  // Each arm has its own reward, and the plan adds them all to the judges.
  const { evaluation, prompts } = withBackendParts(host, { ...asked.config, rewards: [] });
  const plan = planComparison({ ...asked.config, evaluation, prompts }, asked.rewards, asked.seeds);
  if (there) requireSame(folder, there, plan);
  return plan;
}

interface OneRun {
  readonly folder: string;
  readonly label: string;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly parts: (config: RunConfig) => ReturnType<typeof createParts>;
}

/** Trains a run, goes on with it, or finds that it is finished. Throws `Stopped` after a Ctrl-C. */
async function trainOne(run: PlannedRun, { folder, label, quiet, signal, parts: make }: OneRun): Promise<void> {
  const parts = await make(run.config);
  await using _backend = parts.backend;
  using status = new StatusLine(screenOf(process.stderr));
  const { reason, message, step } = await train(parts, {
    config: run.config,
    folder: join(folder, run.folder),
    signal,
    onProgress: (progress) => {
      if (!quiet) status.show(`${label}: ${progressLine(progress)}`, { important: false });
    },
  });
  if (reason === 'stopped')
    throw new Stopped(`Stopped ${label} after step ${step}. To go on: gvu compare --out ${folder}`);
  if (reason === 'failed')
    throw cliErrors.error('GVU_CLI_CHECKPOINT', `The run ${label} failed: ${message}.`, {
      hint: `Mend the cause, and go on by gvu compare --out ${folder}.`,
    });
  if (!quiet)
    status.above(`${label}: ${reason === 'finished' ? `${step} steps` : `${reason} after ${step} steps: ${message}`}`);
}

/** `runs/compare-<date>`, with a number where that is taken. */
function freeFolder(now: Date): string {
  const wanted = join(runsFolder, `compare-${now.toISOString().slice(0, 10)}`);
  for (let i = 1; ; i++) {
    const folder = i === 1 ? wanted : `${wanted}-${i}`;
    if (!existsSync(folder)) return folder;
  }
}

/** What a program wants of it. */
function plainResult({ arms, pairs, seeds, score, before, prompts, leftOut, verdict }: RewardComparison) {
  return {
    score,
    seeds,
    prompts,
    leftOut,
    before: { overall: before.overall, byTag: Object.fromEntries(before.strata) },
    arms: arms.map(({ strata, seenBy, ...arm }) => ({
      ...arm,
      byTag: Object.fromEntries(strata),
      seenBy: Object.fromEntries(seenBy),
    })),
    pairs,
    verdict,
  };
}
