/**
 * The plugin host: packages register what can be contributed, plugins are loaded from an explicit list, and their
 * contributions are looked up and created here.
 *
 * The host knows no kind of contribution itself. Plugins run in this process and with its rights: loading one is an act
 * of trust. They see only their context; what each holds is undone when the host is disposed of.
 */
import { coreErrors } from '../core-errors.ts';
import type { GvuError } from '../errors.ts';
import { isGvuError } from '../errors.ts';
import { ServiceRegistry } from '../services.ts';
import { describeThrown } from '../thrown.ts';
import { timerProblem } from '../timer.ts';
import { type Contribution, ContributionCatalogue, contributionName } from './catalogue.ts';
import type { ContributionKind, ContributionPoint, RequirementCheck } from './contribution-point.ts';
import { loadPlugins } from './load.ts';
import { pluginLabel } from './load-journal.ts';
import type { LoadEnvironment, LoadedPlugin } from './load-steps.ts';
import { manifestRules } from './manifest.ts';
import { pluginManifestSchema } from './manifest-schema.ts';
import { disposeFailed, type PluginLogEntry } from './plugin-scope.ts';
import { formatPluginProblem, type PluginProblem, type PluginReport } from './report.ts';

export interface PluginHostOptions {
  /** The user's project: relative paths and the walk up the `node_modules` start here. */
  readonly projectDirectory: string;
  /** Services that plugins may ask for, by those who have the tokens. They stay the property of the caller. */
  readonly services?: ServiceRegistry | undefined;
  /** Names of plugins that are loaded although they were made for another plugin API. Reported as warnings. */
  readonly allowIncompatible?: readonly string[] | undefined;
  /** Limit for the import, for the set-up and for each disposer of a plugin: 1 to 2^31 - 1, 10 000 by default. */
  readonly timeLimitMs?: number | undefined;
  /** Takes what plugins log; nothing is written anywhere by default. */
  readonly log?: ((entry: PluginLogEntry) => void) | undefined;
}

export class PluginHost implements AsyncDisposable {
  readonly #options: Pick<
    LoadEnvironment,
    'projectDirectory' | 'services' | 'allowIncompatible' | 'timeLimitMs' | 'log'
  >;
  readonly #kinds = new Map<string, ContributionKind>();
  readonly #requirements = new Map<string, RequirementCheck>();
  readonly #catalogue = new ContributionCatalogue();
  /** In the order of their set-up. */
  readonly #loaded: LoadedPlugin[] = [];
  readonly #abort = new AbortController();
  /** Loads run one after the other. */
  #lastLoad: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | undefined;

  /** @throws GVU_PLUGIN_HOST_OPTIONS when the time limit is out of its range. */
  constructor({
    projectDirectory,
    services = new ServiceRegistry('plugin host'),
    allowIncompatible = [],
    timeLimitMs = 10_000,
    log = () => {},
  }: PluginHostOptions) {
    const problem = timerProblem(timeLimitMs);
    if (problem !== undefined) throw coreErrors.error('GVU_PLUGIN_HOST_OPTIONS', `timeLimitMs ${problem}`);
    this.#options = { projectDirectory, services, allowIncompatible, timeLimitMs, log };
  }

  /**
   * Adds a kind of contribution. Done by the package that owns the kind, before plugins are loaded.
   * @throws GVU_PLUGIN_REGISTRATION when the kind exists already or its entry schema is not one.
   */
  registerContributionPoint<Instance, Deps>(point: ContributionPoint<Instance, Deps>): void {
    this.#refuseWhenDisposed();
    const { kind, entrySchema } = point;
    if (this.#kinds.has(kind)) throw refusal(`Contribution point "${kind}" is registered already.`);
    if (!/^[a-z][A-Za-z0-9-]*$/.test(kind)) throw refusal(`${JSON.stringify(kind)} cannot be a kind of contribution.`);
    const reserved = ['id', 'description', 'options'].filter((key) => key in entrySchema.properties);
    if (reserved.length > 0) throw refusal(`Entries of "${kind}" cannot define ${reserved.join(' and ')} anew.`);
    try {
      manifestRules([point]);
    } catch (cause) {
      if (!isGvuError(cause, 'GVU_CONFIG_SCHEMA')) throw cause;
      throw refusal(`The entry schema of "${kind}" is broken: ${cause.message}`, cause);
    }
    this.#kinds.set(kind, point);
  }

  /**
   * Adds a kind of requirement that manifests may state. Done by the package that can check it.
   * @throws GVU_PLUGIN_REGISTRATION when the name is taken.
   */
  registerRequirement(requirement: RequirementCheck): void {
    this.#refuseWhenDisposed();
    const { name } = requirement;
    if (name === 'optional' || this.#requirements.has(name)) throw refusal(`Requirement "${name}" is taken already.`);
    this.#requirements.set(name, requirement);
  }

  /** The JSON Schema of manifests for this host, with every kind registered so far: for editors and documentation. */
  manifestSchema(): ReturnType<typeof pluginManifestSchema> {
    return pluginManifestSchema(this.#kinds.values());
  }

  /**
   * Loads plugins, listed by package name or by path, and reports what came of each; it does not throw because of them.
   * What is loaded already is passed over. Use `throwIfFailed` on the report for those that are needed.
   * @throws GVU_PLUGIN_HOST_DISPOSED
   */
  async load(list: readonly string[]): Promise<PluginReport> {
    this.#refuseWhenDisposed();
    const load = this.#lastLoad.then(() => this.#load(list));
    this.#lastLoad = load.catch(() => {}); // whoever called has the error
    return await load;
  }

  async #load(list: readonly string[]): Promise<PluginReport> {
    const { report, loaded } = await loadPlugins(list, {
      ...this.#options,
      kinds: [...this.#kinds.values()],
      requirements: [...this.#requirements.values()],
      signal: this.#abort.signal,
      catalogue: this.#catalogue,
      loaded: this.#loaded,
    });
    this.#loaded.push(...loaded);
    return report;
  }

  /** All contributions of plugins that are ready, or those of one kind. */
  contributions(kind?: string): Contribution[] {
    return this.#catalogue.list(kind);
  }

  /**
   * Finds what `reference` names: `kind/id`, or the id alone if only one kind has it.
   * @throws GVU_PLUGIN_CONTRIBUTION_UNKNOWN with the nearest name, GVU_PLUGIN_CONTRIBUTION_AMBIGUOUS
   */
  find(reference: string): Contribution {
    return this.#catalogue.find(reference).contribution;
  }

  /**
   * Makes an instance of a contribution. `options` are validated against the plugin's own schema first, and defaults are
   * filled in; left out, they are `{}`. The instance belongs to the caller: dispose of it before the host.
   * @param reference `kind/id`, or the id alone.
   * @throws GVU_PLUGIN_CONTRIBUTION_UNKNOWN, GVU_PLUGIN_OPTIONS_INVALID, GVU_PLUGIN_CREATE_FAILED, GVU_PLUGIN_HOST_DISPOSED
   */
  async create<Instance, Deps>(
    point: ContributionPoint<Instance, Deps>,
    reference: string,
    { options = {}, deps }: { readonly options?: unknown; readonly deps: Deps },
  ): Promise<Instance> {
    this.#refuseWhenDisposed();
    const { contribution, factory } = this.#catalogue.find(reference, point.kind);
    const name = contributionName(contribution);
    const plugin = `${contribution.plugin.name}@${contribution.plugin.version}`;
    const details = { plugin, contribution: name };
    let valid: unknown;
    try {
      valid = contribution.options.parse(options, { source: `The configuration of ${name} (plugin ${plugin})` });
    } catch (cause) {
      if (!isGvuError(cause, 'GVU_CONFIG_INVALID')) throw cause;
      const message = cause.message.replace('GVU_CONFIG_INVALID: ', '');
      throw coreErrors.error('GVU_PLUGIN_OPTIONS_INVALID', message, {
        cause,
        details: { ...cause.details, ...details },
      });
    }
    try {
      // `provide` took the factory together with a point of this kind, which fixes what it returns.
      return (await factory(valid, deps)) as Instance;
    } catch (cause) {
      const message = `Creating ${name} (plugin ${plugin}) threw ${describeThrown(cause)}`;
      throw coreErrors.error('GVU_PLUGIN_CREATE_FAILED', message, { cause, details });
    }
  }

  /**
   * Unloads all plugins, the last one set up first; a load under way is given up. Every step is tried. Safe to repeat.
   * @throws GVU_PLUGIN_DISPOSE_FAILED with `details.problems`, lines as of `formatPluginProblem`.
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= Promise.resolve().then(() => this.#dispose());
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const reason = this.#disposedError();
    this.#abort.abort(reason);
    await this.#lastLoad;
    this.#catalogue.clear();
    const problems: PluginProblem[] = [];
    for (const { status, scope } of this.#loaded.splice(0).reverse()) {
      const failures = await scope.dispose(reason);
      if (failures.length === 0) continue;
      problems.push({
        plugin: pluginLabel(status),
        phase: 'dispose',
        severity: 'error',
        error: disposeFailed(failures),
      });
    }
    if (problems.length === 0) return;
    const lines = problems.map(formatPluginProblem);
    throw coreErrors.error('GVU_PLUGIN_DISPOSE_FAILED', `Not all plugins could be unloaded.\n${lines.join('\n')}`, {
      cause: new AggregateError(problems.map(({ error }) => error)),
      details: { problems: lines },
    });
  }

  #disposedError(): GvuError {
    return coreErrors.error('GVU_PLUGIN_HOST_DISPOSED', 'The plugin host is disposed of, or is being disposed of.');
  }

  #refuseWhenDisposed(): void {
    if (this.#disposal !== undefined) throw this.#disposedError();
  }
}

function refusal(message: string, cause?: unknown): GvuError {
  return coreErrors.error('GVU_PLUGIN_REGISTRATION', message, {
    hint: 'This is a mistake of the package that registers it.',
    cause,
  });
}
