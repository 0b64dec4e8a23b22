/**
 * What a plugin sees of GvU: `definePlugin` and the context that its `setup` is given. Nothing else is promised.
 *
 * `PLUGIN_API_VERSION` is the version of this file, of the contribution points' shape and of the manifest; it moves
 * apart from the version of the product.
 */
import type { ServiceResolver } from '../services.ts';
import type { ContributionFactory, ContributionPoint } from './contribution-point.ts';

/** The version that `gvu.api` in a manifest is a range over. Below 1.0 every minor may break. */
export const PLUGIN_API_VERSION = '0.1.0';

/** A symbol of the whole process: two copies of this package recognise each other's plugins. */
const pluginMarker: unique symbol = Symbol.for('gvu.plugin');

export interface PluginDefinition {
  /**
   * Provides the contributions that the manifest declares, no more and no fewer. Keep it cheap and import what is heavy
   * within the factories: set-up runs in every process that only lists plugins, and within a time limit.
   */
  setup(context: PluginContext): void | Promise<void>;
}

export interface Plugin extends PluginDefinition {
  readonly [pluginMarker]: true;
}

/** The functions need no `this`: a plugin may take the context apart. */
export interface PluginContext extends ServiceResolver {
  /**
   * Provides the contribution that the manifest declares under the kind of `point` with this `id`. Nothing is visible to
   * others before the whole plugin is ready. Only during `setup`.
   * @throws GVU_PLUGIN_CONTRIBUTION_MISMATCH, GVU_PLUGIN_CONTEXT_CLOSED
   */
  provide<Instance, Deps, Options>(
    point: ContributionPoint<Instance, Deps>,
    id: string,
    factory: ContributionFactory<Options, NoInfer<Deps>, NoInfer<Instance>>,
  ): void;
  /** Bound to the name and version of the plugin. */
  readonly logger: PluginLogger;
  /**
   * Registers what has to be undone: it runs when the plugin is unloaded or its set-up failed, in reverse order of
   * registration. After that it runs at once, so that a set-up that was given up can still close what it opens.
   */
  onDispose(dispose: () => void | PromiseLike<void>): void;
  /**
   * Aborted when set-up ran out of time or failed, and when the plugin is unloaded. Its listeners must not throw: Node
   * ends the process then, and nobody can catch it. Undo things in `onDispose` instead, whose failures are reported.
   */
  readonly signal: AbortSignal;
}

type LogFunction = (message: string, data?: Readonly<Record<string, unknown>>) => void;

export interface PluginLogger {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/** Makes the default export of a plugin's entry. */
export function definePlugin(definition: PluginDefinition): Plugin {
  return { ...definition, [pluginMarker]: true };
}

/** True for what `definePlugin` made, also that of another copy of this package. */
export function isPlugin(value: unknown): value is Plugin {
  return (
    typeof value === 'object' &&
    value !== null &&
    pluginMarker in value &&
    'setup' in value &&
    typeof value.setup === 'function'
  );
}
