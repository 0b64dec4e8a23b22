/**
 * The single steps of loading one plugin; `load.ts` takes all plugins through them.
 *
 * A step notes what is wrong, or throws an error with a code, and returns the plugin with what it learned. Whatever the
 * code of a plugin throws is wrapped here: it is kept as the cause, with the place in the plugin where it came from.
 */
import { sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { coreErrors } from '../core-errors.ts';
import { didYouMeanHint } from '../did-you-mean.ts';
import { isGvuError } from '../errors.ts';
import { isRecord } from '../json-value.ts';
import type { ServiceRegistry } from '../services.ts';
import { describeThrown } from '../thrown.ts';
import { apiRangeAccepts } from './api-range.ts';
import { type ContributionCatalogue, contributionName } from './catalogue.ts';
import type { ContributionKind, RequirementCheck } from './contribution-point.ts';
import { type Candidate, type LoadJournal, type Notes, pluginLabel } from './load-journal.ts';
import type { PluginManifest } from './manifest.ts';
import { isPlugin, PLUGIN_API_VERSION, type Plugin } from './plugin-api.ts';
import { type PluginLogEntry, PluginScope } from './plugin-scope.ts';
import type { PluginStatus } from './report.ts';
import { withTimeLimit } from './time-limit.ts';

/** What the host lends to a load. */
export interface LoadEnvironment {
  readonly projectDirectory: string;
  readonly kinds: readonly ContributionKind[];
  readonly requirements: readonly RequirementCheck[];
  readonly allowIncompatible: readonly string[];
  readonly timeLimitMs: number;
  readonly services: ServiceRegistry;
  readonly log: (entry: PluginLogEntry) => void;
  /** Ends the load early: what is not ready by then fails with the signal's reason. */
  readonly signal: AbortSignal;
  readonly catalogue: ContributionCatalogue;
  /** The plugins of earlier loads that are ready. */
  readonly loaded: readonly LoadedPlugin[];
}

export interface LoadedPlugin {
  readonly status: PluginStatus;
  readonly scope: PluginScope;
}

export interface KnownPlugin extends Candidate {
  readonly directory: string;
  readonly manifest: PluginManifest;
}

export interface ImportedPlugin extends KnownPlugin {
  readonly plugin: Plugin;
}

export interface RunningPlugin extends ImportedPlugin {
  readonly scope: PluginScope;
}

/** Phase `api`: the host's plugin API must lie in the plugin's range, unless the user lets the plugin in regardless. */
export function checkApi(known: KnownPlugin, { allowIncompatible }: LoadEnvironment, notes: Notes): KnownPlugin {
  const { status, manifest } = known;
  const { name, api: range } = manifest;
  if (apiRangeAccepts(range, PLUGIN_API_VERSION)) return known;
  const allowed = allowIncompatible.includes(name);
  const error = coreErrors.error(
    'GVU_PLUGIN_API_MISMATCH',
    `It needs plugin API ${range}, and this host has ${PLUGIN_API_VERSION}.`,
    {
      hint: allowed
        ? 'It is loaded because it was allowed to be incompatible; what it does is not covered.'
        : `Install a version of ${name} for plugin API ${PLUGIN_API_VERSION}, or allow "${name}" to be incompatible.`,
      details: { range, api: PLUGIN_API_VERSION },
    },
  );
  if (!allowed) throw error;
  notes.warn(error);
  status.allowedIncompatible = { range, api: PLUGIN_API_VERSION };
  return known;
}

/** Phase `requires`: everything that the manifest requires is checked by whoever registered that kind of requirement. */
export async function checkRequires(
  known: KnownPlugin,
  { requirements }: LoadEnvironment,
  notes: Notes,
): Promise<KnownPlugin> {
  const { optional, names } = known.manifest.requires;
  const note = optional ? notes.warn : notes.fail;
  const kinds = requirements.map(({ name }) => name);
  for (const { kind, name } of names) {
    const requirement = requirements.find((item) => item.name === kind);
    if (requirement === undefined) {
      const unknown = `It requires ${kind} "${name}", which no package of this host can check.`;
      const hint = `${didYouMeanHint(kind, kinds)} Known are: ${kinds.join(', ') || 'none'}.`.trim();
      note(coreErrors.error('GVU_PLUGIN_REQUIRES', unknown, { hint }));
      continue;
    }
    try {
      const hint = await requirement.unmet(name);
      if (hint !== undefined) note(coreErrors.error('GVU_PLUGIN_REQUIRES', `It requires ${kind} "${name}".`, { hint }));
    } catch (cause) {
      const why = `It requires ${kind} "${name}", and the check failed: ${describeThrown(cause)}`;
      note(coreErrors.error('GVU_PLUGIN_REQUIRES', why, { cause }));
    }
  }
  return known;
}

/** Phase `import`: the first code of the plugin that runs. */
export async function importEntry(known: KnownPlugin, environment: LoadEnvironment): Promise<ImportedPlugin> {
  const { entryFile } = known.manifest;
  const found = await callPlugin(known, environment, {
    code: 'GVU_PLUGIN_IMPORT_FAILED',
    what: `The import of ${entryFile}`,
    work: async () => {
      const module: unknown = await import(/* @vite-ignore */ pathToFileURL(entryFile).href);
      const exported = isRecord(module) ? module.default : undefined;
      // Looked at in here, because looking runs code of the plugin too: getters, traps of a Proxy.
      return isPlugin(exported) ? { plugin: exported } : { instead: describeExport(exported) };
    },
  });
  if (found.plugin !== undefined) return { ...known, plugin: found.plugin };
  throw coreErrors.error(
    'GVU_PLUGIN_NOT_A_PLUGIN',
    `The default export of ${entryFile} is ${found.instead}, not a plugin.`,
    { hint: 'Write: export default definePlugin({ setup(context) { ... } }).' },
  );
}

/** Phase `setup`. A set-up that fails is undone at once: nothing that was set up later can need it. */
export async function setUp(
  imported: ImportedPlugin,
  environment: LoadEnvironment,
  journal: LoadJournal,
): Promise<RunningPlugin | undefined> {
  const { services, log, timeLimitMs } = environment;
  const { status } = imported;
  const scope = new PluginScope({ plugin: pluginLabel(status), services, log, timeLimitMs });
  try {
    await callPlugin(imported, environment, {
      code: 'GVU_PLUGIN_SETUP_FAILED',
      what: 'setup()',
      work: () => imported.plugin.setup(scope.context),
    });
    scope.endSetup();
    return { ...imported, scope };
  } catch (error) {
    if (!isGvuError(error)) throw error;
    journal.note(status, 'setup', error, 'error');
    await journal.discard(status, scope, error);
    return undefined;
  }
}

/** Phase `ready`: what was provided must be what the manifest declares, no more and no less. */
export function checkProvided({ manifest, scope }: RunningPlugin, notes: Notes): void {
  const declared = manifest.contributions.map(contributionName);
  const provided = scope.provided.map(contributionName);
  const declaredNames = new Set(declared);
  const providedNames = new Set(provided);
  const unseen = new Set(provided);
  const lists = [
    ['declared, but not provided', declared.filter((name) => !providedNames.has(name))],
    ['provided, but not declared', provided.filter((name) => !declaredNames.has(name))],
    ['provided more than once', provided.filter((name) => !unseen.delete(name))],
  ] as const;
  const found = lists.filter(([, names]) => names.length > 0).map(([what, names]) => `${what}: ${names.join(', ')}`);
  if (found.length === 0) return;
  notes.fail(
    coreErrors.error('GVU_PLUGIN_CONTRIBUTION_MISMATCH', `${found.join('; ')}.`, {
      hint: 'Let "contributes" in the manifest and the calls of provide() say the same.',
      details: { declared, provided },
    }),
  );
}

/** Runs code of a plugin within the time limit, and wraps whatever it throws. */
async function callPlugin<T>(
  { directory }: KnownPlugin,
  { timeLimitMs, signal }: LoadEnvironment,
  call: {
    code: 'GVU_PLUGIN_IMPORT_FAILED' | 'GVU_PLUGIN_SETUP_FAILED';
    what: string;
    work: () => T | PromiseLike<T>;
  },
): Promise<T> {
  const tooLong = coreErrors.error('GVU_PLUGIN_TIMEOUT', `${call.what} had not ended after ${timeLimitMs} ms.`, {
    hint: 'Move slow work into the factories, and pass the signal of the context on to what can hang.',
  });
  try {
    return await withTimeLimit(call.work, { timeoutMs: timeLimitMs, signal, expired: () => tooLong });
  } catch (cause) {
    if (cause === tooLong || (signal.aborted && cause === signal.reason)) throw cause;
    const why = `${call.what} threw ${describeThrown(cause)}${placeIn(directory, cause)}`;
    throw coreErrors.error(call.code, why, { cause });
  }
}

/** ` (at dist/index.js:3:7)`: the first place inside the plugin that a stack names, or nothing. */
function placeIn(directory: string, thrown: unknown): string {
  const stack = stackOf(thrown);
  const starts = [`${pathToFileURL(directory).href}/`, `${directory}${sep}`]
    .map((prefix) => ({ prefix, at: stack.indexOf(prefix) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  const [first] = starts;
  if (first === undefined) return '';
  const [place] = stack.slice(first.at + first.prefix.length).split(/[\s)'"]/, 1);
  return ` (at ${place})`;
}

/** Empty where there is none; a thrown value may be made so that asking for it throws. */
function stackOf(thrown: unknown): string {
  try {
    return thrown instanceof Error && typeof thrown.stack === 'string' ? thrown.stack : '';
  } catch {
    return '';
  }
}

function describeExport(exported: unknown): string {
  if (exported === undefined) return 'missing';
  if (isRecord(exported)) return `an object with the keys ${Object.keys(exported).join(', ') || '(none)'}`;
  return `of type ${exported === null ? 'null' : typeof exported}`;
}
