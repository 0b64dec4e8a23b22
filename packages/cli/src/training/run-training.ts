/** A training run from the command line, from the plugins to the report. */
import type { LogEvent } from '@gvu/core';
// Not when it is needed: from source, nothing can be imported any more after a Ctrl-C, which also ends the compiler.
import { summaryText, writeReport } from '@gvu/evals';
import { Runtime } from '@gvu/onnx';
import { isRunEvent, planRun, type RunConfig, type TrainOptions, type TrainResult, train } from '@gvu/rl';
import { runtimeOptions } from '../commands/shared-options.ts';
import type { TrainCommandOptions } from '../commands/train.ts';
import { createParts, resolveOptions } from '../config/resolve-parts.ts';
import { openHost } from '../host.ts';
import { runsFolder } from '../runs/run-folder.ts';
import { resultOf } from '../runs/run-result.ts';
import type { ServedHooks } from '../serve/train-served.ts';
import { exitCodes, Stopped } from '../terminal/failure.ts';
import { onInterrupt } from '../terminal/interrupt.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { note, paint, print, printJson, type Screen, screenOf } from '../terminal/terminal.ts';
import { RunFollower } from './follow-run.ts';
import { eventLine, progressLine } from './progress-line.ts';
import { freeRunFolder, requireFree } from './run-name.ts';

/** Where progress is not rewritten in place, at least every so many steps there is a line. */
const plainSteps = 20;

interface Display {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly status: StatusLine;
  readonly screen: Screen;
}

export async function runTraining(given: RunConfig, options: TrainCommandOptions): Promise<void> {
  const { resume, out, name, json, dryRun } = options;
  if (out !== undefined && dryRun === undefined) await requireFree(out);
  await using host = await openHost(given.plugins);
  const config = resolveOptions(host, given);
  const folder = resume ?? out ?? freeRunFolder(config, { parent: runsFolder, name, now: new Date() });
  await using runtime = await Runtime.create(runtimeOptions(options));
  const parts = await createParts(host, config, runtime);
  await using _backend = parts.backend;

  if (dryRun) {
    const plan = planRun(parts, config);
    if (json) printJson({ config, folder, plan: plan.json });
    else print([JSON.stringify(config, null, 2), '', `Folder: ${folder}`, ...plan.lines].join('\n'));
    return;
  }
  const { description } = parts.prompts;
  if (description !== undefined && !options.quiet) note(`Prompts: ${description}`);
  const result = await trainInto(folder, options, async ({ signal, onProgress }) => {
    const trainHere = (hooks: ServedHooks) => train(parts, { config, folder, onProgress, signal, ...hooks });
    if (options.steered) {
      const { trainSteered } = await import('../serve/train-steered.ts');
      return await trainSteered(folder, signal, trainHere);
    }
    if (options.serve === undefined) return await trainHere({});
    const { trainServed } = await import('../serve/train-served.ts');
    return await trainServed({ folder, backend: parts.backend, host, listen: options, signal }, trainHere);
  });
  await showResult(result, json === true);
}

type TrainHooks = Required<Pick<TrainOptions, 'onProgress'>> & { readonly signal: AbortSignal };

/** Trains, and shows what goes on. */
async function trainInto(
  folder: string,
  options: TrainCommandOptions,
  work: (hooks: TrainHooks) => Promise<TrainResult>,
): Promise<TrainResult> {
  const [json, quiet, screen] = [options.json === true, options.quiet === true, screenOf(process.stderr)];
  using interrupt = onInterrupt('Ending after this step, with a checkpoint.');
  using status = new StatusLine(screen);
  const follower = await RunFollower.open(folder, (event) => showEvent(event, { json, quiet, status, screen }));
  if (!quiet) note(`Run: ${folder}`);
  let plainStep = 0;
  try {
    return await work({
      signal: interrupt.signal,
      onProgress: (progress) => {
        follower.poke();
        if (json || quiet) return;
        const important = progress.phase === 'step' && progress.step >= plainStep + plainSteps;
        if (important) plainStep = progress.step;
        status.show(progressLine(progress), { important });
      },
    });
  } finally {
    await follower.end();
  }
}

function showEvent(event: LogEvent, { json, quiet, status, screen }: Display): void {
  const line = isRunEvent(event) ? eventLine(event) : undefined;
  if (json) printJson(event);
  else if (line !== undefined && !quiet) {
    status.above(event.type === 'guard' ? paint(line, 'yellow', screen) : line);
  }
}

/** What the run came to; the exit code says how it ended. */
async function showResult({ folder, reason, message, step }: TrainResult, json: boolean): Promise<void> {
  if (reason === 'stopped') {
    throw new Stopped(`Stopped after step ${step}. To go on: gvu train --resume ${folder}`);
  }
  const report = await writeReport(folder);
  if (json) printJson({ folder, reason, message, step, report, ...(await resultOf(folder)) });
  else {
    print(await summaryText(folder, screenOf(process.stdout)));
    print(`\n${message}\nReport: ${report}`);
  }
  if (reason === 'guard') process.exitCode = exitCodes.guard;
  if (reason === 'failed') process.exitCode = exitCodes.failed;
}
