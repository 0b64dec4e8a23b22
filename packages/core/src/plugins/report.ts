/**
 * What loading plugins came to: the state of each plugin, every problem with its plugin and phase, the time of each phase.
 *
 * Loading itself never throws for the sake of a plugin. Whoever needs certain plugins asks with `throwIfFailed`.
 */
import { coreErrors } from '../core-errors.ts';
import { didYouMeanHint } from '../did-you-mean.ts';
import type { GvuError } from '../errors.ts';

/** Every plugin goes through one phase before any goes into the next. No code of a plugin runs before `import`. */
export const loadPhases = ['read', 'manifest', 'api', 'requires', 'order', 'import', 'setup', 'ready'] as const;
export type LoadPhase = (typeof loadPhases)[number];

export interface PluginProblem {
  /** `name@version` as far as known, otherwise the plugin as it was listed. */
  readonly plugin: string;
  readonly phase: LoadPhase | 'dispose';
  /** A warning does not keep the plugin from being ready. */
  readonly severity: 'error' | 'warning';
  readonly error: GvuError;
}

/** One line for people: `[plugin @acme/foo@1.2.0 · setup] GVU_PLUGIN_SETUP_FAILED: ...`. */
export function formatPluginProblem({ plugin, phase, error }: PluginProblem): string {
  return `[plugin ${plugin} · ${phase}] ${error.message}`;
}

export interface PluginStatus {
  /** The plugin as it was listed. */
  readonly specifier: string;
  /** Name, version and directory as far as they were found. */
  readonly name?: string;
  readonly version?: string;
  readonly directory?: string;
  readonly state: 'ready' | 'failed';
  /** What it contributes, each as `kind/id`; known once the manifest was judged, whatever comes later. */
  readonly contributions: readonly string[];
  /** Present when the plugin was let in although its range of plugin-API versions leaves this host's out. */
  readonly allowedIncompatible?: { readonly range: string; readonly api: string };
  /** Time spent on this plugin, by phase. */
  readonly timesMs: Readonly<Partial<Record<LoadPhase, number>>>;
}

export interface PluginReport {
  /** In the order of the list, each plugin once. */
  readonly plugins: readonly PluginStatus[];
  readonly problems: readonly PluginProblem[];
}

/**
 * Throws when plugins are not ready, listing every problem of the load, so that all can be mended at once.
 * @param needed The plugins that count, by name or as listed; all of them when it is left out.
 * @throws GVU_PLUGIN_LOAD_FAILED with `details.problems`, lines as of `formatPluginProblem`.
 */
export function throwIfFailed(report: PluginReport, needed?: readonly string[]): void {
  const missing = (needed ?? report.plugins.map(({ specifier }) => specifier)).filter((plugin) => {
    const status = report.plugins.find(({ specifier, name }) => plugin === specifier || plugin === name);
    return status?.state !== 'ready';
  });
  if (missing.length === 0) return;
  const problems = report.problems.map(formatPluginProblem);
  const known = report.plugins.flatMap(({ specifier, name }) => [specifier, name ?? specifier]);
  const unlisted = missing
    .filter((plugin) => !known.includes(plugin))
    .map((plugin) => `[plugin ${plugin}] is needed, but not listed.${didYouMeanHint(plugin, known)}`);
  throw coreErrors.error(
    'GVU_PLUGIN_LOAD_FAILED',
    `Not ready: ${missing.join(', ')}.${[...problems, ...unlisted].map((line) => `\n${line}`).join('')}`,
    { details: { plugins: missing, problems } },
  );
}
