/** What single words are worth to the reward of a base: read once, and kept in the folder of the reproduction. */

import { join } from 'node:path';
import type { PluginHost } from '@gvu/core';
import { readWordings, type WordsResult, wordings, wordsFolder, writeWordsResult } from '@gvu/evals';
import { backends } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import type { RunConfig } from '@gvu/rl';
import { type EngineOptions, runtimeOptions } from '../commands/shared-options.ts';
import { cliErrors } from '../errors.ts';

/** Wordings of each kind for each question of the exam in a run's configuration. */
const testsPerQuestion = 2;

export interface MeasureOptions {
  /** Of the reproduction. */
  readonly folder: string;
  readonly base: string;
  /** A run from this base. */
  readonly config: RunConfig;
  readonly engine: EngineOptions;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, all: number) => void;
}

/** Rejects with GVU_CLI_USAGE for a backend whose plugin has no wordings. */
export async function measureWords(host: PluginHost, options: MeasureOptions): Promise<void> {
  const { folder, base, config, engine, signal, onProgress } = options;
  const { use, options: backendOptions } = config.backend;
  const plugin = host.contributions('backends').find(({ id }) => id === use)?.plugin.name;
  const part = host.contributions('wordings').find((contribution) => contribution.plugin.name === plugin);
  if (!part)
    throw cliErrors.error('GVU_CLI_USAGE', `The plugin of the backend '${use}' has no wordings.`, {
      hint: 'Leave out --only words, or use backend-shapes.',
    });
  const { model } = backendOptions;
  const source = await host.create(wordings, part.id, { options: { model }, deps: undefined });
  await using runtime = await Runtime.create(runtimeOptions(engine));
  await using backend = await host.create(backends, use, { options: backendOptions, deps: { runtime } });
  const { seed } = config.evaluation;
  const list = source.list({ seed, tests: Math.max(1, testsPerQuestion * config.evaluation.tests) });
  const read = await readWordings(backend, list, { signal, onProgress: (done) => onProgress(done, list.length) });
  const result: WordsResult = {
    base,
    folder: wordsFolder(base),
    backend: { name: backend.name, version: backend.version },
    wordings: { name: source.name, version: source.version },
    seed,
    list: read,
  };
  await writeWordsResult(join(folder, wordsFolder(base)), result);
}
