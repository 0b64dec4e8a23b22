/**
 * What one plugin holds while it lives: its context, its scope of services, what it provided and what it must undo.
 *
 * What a plugin provides stays here until the host takes it over as a whole, so that a set-up that fails half-way leaves
 * no trace. After `dispose` the context does nothing more, whatever the plugin's own code still does.
 */
import { coreErrors } from '../core-errors.ts';
import { type Cleanup, type CleanupFailure, runCleanups } from '../disposal.ts';
import type { GvuError } from '../errors.ts';
import { isRecord } from '../json-value.ts';
import type { ServiceRegistry } from '../services.ts';
import { describeThrown } from '../thrown.ts';
import type { PluginContext, PluginLogger } from './plugin-api.ts';
import { withTimeLimit } from './time-limit.ts';

export interface PluginLogEntry {
  /** `name@version`. */
  readonly plugin: string;
  readonly level: keyof PluginLogger;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface PluginScopeOptions {
  /** `name@version`. */
  readonly plugin: string;
  /** The services that the plugin may ask for; the scope made inside it belongs to the plugin. */
  readonly services: ServiceRegistry;
  readonly log: (entry: PluginLogEntry) => void;
  /** Limit for each single disposer. */
  readonly timeLimitMs: number;
}

export interface Provided {
  readonly kind: string;
  readonly id: string;
  readonly factory: (options: unknown, deps: unknown) => unknown;
}

export class PluginScope {
  readonly context: PluginContext;
  /** In the order of the calls; a pair of kind and id may be here twice. */
  readonly provided: Provided[] = [];
  readonly #options: PluginScopeOptions;
  readonly #services: ServiceRegistry;
  readonly #abort = new AbortController();
  readonly #cleanups: Cleanup[] = [];
  #state: 'setup' | 'live' | 'disposed' = 'setup';

  constructor(options: PluginScopeOptions) {
    this.#options = options;
    this.#services = options.services.createChild(`plugin ${options.plugin}`);
    const logAt = (level: PluginLogEntry['level']) => (message: string, data?: PluginLogEntry['data']) =>
      options.log({ plugin: options.plugin, level, message, ...(data && { data }) });
    this.context = Object.freeze<PluginContext>({
      provide: (point, id, factory) => this.#provide(point, id, factory),
      get: (token) => this.#services.get(token),
      onDispose: (dispose) => this.#onDispose(dispose),
      signal: this.#abort.signal,
      logger: Object.freeze({ debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') }),
    });
  }

  /** From now on the plugin provides nothing more. */
  endSetup(): void {
    this.#state = 'live';
  }

  /**
   * Aborts the plugin's signal with `reason`, runs its disposers in reverse, then disposes of its services.
   * Returns what failed.
   */
  async dispose(reason: unknown): Promise<CleanupFailure[]> {
    this.#state = 'disposed';
    this.provided.length = 0;
    this.#abort.abort(reason);
    const services: Cleanup = { name: 'its services', run: () => this.#services[Symbol.asyncDispose]() };
    return await runCleanups([services, ...this.#cleanups.splice(0)]);
  }

  /** Takes anything: plugins may be written without a type checker. */
  #provide(point: unknown, id: unknown, factory: unknown): void {
    if (this.#state !== 'setup') {
      throw coreErrors.error(
        'GVU_PLUGIN_CONTEXT_CLOSED',
        `Plugin ${this.#options.plugin} provides ${JSON.stringify(id)} after its set-up ended.`,
        { hint: 'Provide everything before the promise of setup() resolves.' },
      );
    }
    if (!isRecord(point) || typeof point.kind !== 'string' || typeof id !== 'string' || typeof factory !== 'function') {
      throw coreErrors.error(
        'GVU_PLUGIN_CONTRIBUTION_MISMATCH',
        `provide() was given (${typeof point}, ${typeof id}, ${typeof factory}).`,
        {
          hint: 'Give it a contribution point, an id and a factory: provide(backends, "foo", (options, deps) => ...).',
        },
      );
    }
    // The host gives `factory` options that fit the plugin's own schema, and deps and results are those of the point.
    this.provided.push({ kind: point.kind, id, factory: factory as Provided['factory'] });
  }

  #onDispose(dispose: () => void | PromiseLike<void>): void {
    const { timeLimitMs, plugin } = this.#options;
    const expired = (): Error =>
      coreErrors.error('GVU_PLUGIN_TIMEOUT', `A disposer of ${plugin} had not ended after ${timeLimitMs} ms.`);
    const run = (): Promise<void> => withTimeLimit(dispose, { timeoutMs: timeLimitMs, expired });
    if (this.#state !== 'disposed') {
      this.#cleanups.push({ name: 'a disposer', run });
      return;
    }
    run().catch((error: unknown) => this.context.logger.error('A late disposer failed.', { error }));
  }
}

/** The error for a plugin of which `dispose` returned failures. */
export function disposeFailed(failures: readonly CleanupFailure[]): GvuError {
  const list = failures.map(({ name, cause }) => `${name}: ${describeThrown(cause)}`).join('; ');
  return coreErrors.error('GVU_PLUGIN_DISPOSE_FAILED', `Not everything could be undone: ${list}`, {
    cause: new AggregateError(failures.map(({ cause }) => cause)),
  });
}
