/**
 * Book-keeping of one load: who failed where, what it took, and the walk of all plugins through one phase.
 *
 * It knows phases and failures, not what the phases do. Every plugin counts as ready until an error is noted for it.
 */
import { coreErrors } from '../core-errors.ts';
import { type GvuError, isGvuError } from '../errors.ts';
import { disposeFailed, type PluginScope } from './plugin-scope.ts';
import type { LoadPhase, PluginProblem, PluginStatus } from './report.ts';

/** A status while it is being written. */
export type OpenStatus = { -readonly [Key in keyof PluginStatus]: PluginStatus[Key] } & {
  timesMs: Partial<Record<LoadPhase, number>>;
};

/** What goes through the phases; every phase adds what it found out. */
export interface Candidate {
  readonly status: OpenStatus;
}

export interface Notes {
  fail(error: GvuError): void;
  warn(error: GvuError): void;
}

export class LoadJournal {
  readonly plugins: PluginStatus[] = [];
  readonly problems: PluginProblem[] = [];
  readonly #firstErrors = new Map<PluginStatus, PluginProblem>();

  open(specifier: string): Candidate {
    const status: OpenStatus = { specifier, state: 'ready', contributions: [], timesMs: {} };
    this.plugins.push(status);
    return { status };
  }

  /** Takes a plugin out of the report, or puts what an earlier load said of it in its place. */
  replace(status: OpenStatus, earlier?: PluginStatus): void {
    this.plugins.splice(this.plugins.indexOf(status), 1, ...(earlier === undefined ? [] : [earlier]));
  }

  /** Writes a problem down; an error fails the plugin. */
  note(status: OpenStatus, phase: PluginProblem['phase'], error: GvuError, severity: PluginProblem['severity']): void {
    const problem = { plugin: pluginLabel(status), phase, severity, error };
    this.problems.push(problem);
    if (severity === 'warning') return;
    status.state = 'failed';
    if (!this.#firstErrors.has(status)) this.#firstErrors.set(status, problem);
  }

  /**
   * Takes the plugins through one phase, one after the other, and returns what came of those that did not fail in it.
   * Errors with a code fail their plugin, thrown or noted; others are mistakes of the host and end the load.
   */
  async phase<In extends Candidate, Out>(
    phase: LoadPhase,
    candidates: readonly In[],
    run: (candidate: In, notes: Notes) => Promise<Out | undefined> | Out | undefined,
  ): Promise<Out[]> {
    const passed: Out[] = [];
    for (const candidate of candidates) {
      const { status } = candidate;
      const notes: Notes = {
        fail: (error) => this.note(status, phase, error, 'error'),
        warn: (error) => this.note(status, phase, error, 'warning'),
      };
      const startedMs = performance.now();
      try {
        const result = await run(candidate, notes);
        if (result !== undefined && status.state !== 'failed') passed.push(result);
      } catch (error) {
        if (!isGvuError(error)) throw error;
        notes.fail(error);
      } finally {
        status.timesMs[phase] = performance.now() - startedMs;
      }
    }
    return passed;
  }

  /** Why a plugin failed. */
  firstError(status: PluginStatus): PluginProblem | undefined {
    return this.#firstErrors.get(status);
  }

  /** Undoes the set-up of a plugin because of `reason`; what cannot be undone is noted. */
  async discard(status: OpenStatus, scope: PluginScope, reason: unknown): Promise<void> {
    const failures = await scope.dispose(reason);
    if (failures.length > 0) this.note(status, 'dispose', disposeFailed(failures), 'error');
  }

  /** Fails the plugin when one that it depends on has failed in this load. */
  checkDependencies(dependsOn: readonly string[], { fail }: Notes): void {
    for (const name of dependsOn) {
      const called = this.plugins.filter((plugin) => nameOf(plugin) === name);
      const [broken] = called;
      if (broken === undefined || called.some(({ state }) => state === 'ready')) continue;
      fail(
        coreErrors.error('GVU_PLUGIN_DEPENDENCY_FAILED', `It depends on "${name}", which failed.`, {
          hint: `Mend ${pluginLabel(broken)} first: its problem is listed too.`,
        }),
      );
    }
  }
}

/** `name@version` as far as known, otherwise the plugin as it was listed. */
export function pluginLabel({ specifier, name, version }: PluginStatus): string {
  if (name === undefined) return specifier;
  return version === undefined ? name : `${name}@${version}`;
}

/** What others call it when they depend on it: its name, as far as that is known. */
export function nameOf({ name, specifier }: PluginStatus): string {
  return name ?? specifier;
}
