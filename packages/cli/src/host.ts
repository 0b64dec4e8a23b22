/**
 * The plugin host of the command line: every kind of contribution that GvU has, its own plugins, and those that the user lists.
 * GvU's own are found by name from this package, wherever the user is; theirs are found from the working directory.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { formatPluginProblem, PluginHost, type PluginReport, throwIfFailed } from '@gvu/core';
import { benchmarks, judges, wordings } from '@gvu/evals';
import { backends, footprints, pretrainings } from '@gvu/models';
import { rewards } from '@gvu/rewards';
import { algorithms, exams, prompts } from '@gvu/rl';
import { note, paint, screenOf } from './terminal/terminal.ts';

/** Loaded like any other plugin: nothing here imports them. */
export const firstParty = [
  '@gvu/rewards',
  '@gvu/rl',
  '@gvu/evals',
  '@gvu/backend-shapes',
  '@gvu/backend-x-omni',
  '@gvu/backend-janus',
] as const;

/** Its kinds, in the order in which they are shown. */
export const kinds = [
  'backends',
  'rewards',
  'algorithms',
  'prompts',
  'exams',
  'pretrainings',
  'footprints',
  'benchmarks',
  'judges',
  'wordings',
] as const;

/** A host that knows all kinds, with nothing loaded. */
export function createHost(): PluginHost {
  const host = new PluginHost({
    projectDirectory: process.cwd(),
    log: ({ plugin, level, message }) => {
      if (level === 'warn' || level === 'error') note(`[plugin ${plugin}] ${message}`);
    },
  });
  for (const register of [
    () => host.registerContributionPoint(backends),
    () => host.registerContributionPoint(rewards),
    () => host.registerContributionPoint(algorithms),
    () => host.registerContributionPoint(prompts),
    () => host.registerContributionPoint(exams),
    () => host.registerContributionPoint(pretrainings),
    () => host.registerContributionPoint(footprints),
    () => host.registerContributionPoint(benchmarks),
    () => host.registerContributionPoint(judges),
    () => host.registerContributionPoint(wordings),
  ]) {
    register();
  }
  return host;
}

/**
 * A host with GvU's plugins and those listed. Listed ones must load: throws GVU_PLUGIN_LOAD_FAILED. Of GvU's own a failure is only
 * shown, since it is an error for whoever needs what it would bring.
 */
export async function openHost(plugins: readonly string[] = []): Promise<PluginHost> {
  const host = createHost();
  try {
    const report = await loadAll(host, plugins);
    throwIfFailed(report, plugins);
    const screen = screenOf(process.stderr);
    for (const problem of report.problems) note(paint(formatPluginProblem(problem), 'yellow', screen));
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

/** Loads GvU's plugins and those listed, and reports what came of each. */
export async function loadAll(host: PluginHost, plugins: readonly string[] = []): Promise<PluginReport> {
  return await host.load([...firstParty.map(directoryOf), ...plugins]);
}

const require = createRequire(import.meta.url);

/** Where a package is installed; its name where it is not, for the host to say so. */
function directoryOf(name: string): string {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return name;
  }
}
