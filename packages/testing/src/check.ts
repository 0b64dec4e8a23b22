/**
 * What a conformance kit is made of: checks with a name that pass or throw, each on its own and in any order. They know no test runner;
 * `testConformance` registers them with one, `runChecks` runs them without any.
 */
import { PLUGIN_API_VERSION } from '@gvu/core';
import { testingErrors } from './errors.ts';

export interface ConformanceCheck {
  /** What must hold, as a sentence of its subject: `gives one drawing for one address`. */
  readonly name: string;
  /** Rejects with an AssertionError when it does not hold, or with what the subject threw. */
  readonly run: () => Promise<void>;
}

export interface ConformanceReport {
  readonly passed: readonly string[];
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
}

/** Runs checks one after the other; a failed one does not stop the rest. */
export async function runChecks(checks: readonly ConformanceCheck[]): Promise<ConformanceReport> {
  const passed: string[] = [];
  const failed: { name: string; error: unknown }[] = [];
  for (const { name, run } of checks) {
    try {
      await run();
      passed.push(name);
    } catch (error) {
      failed.push({ name, error });
    }
  }
  return { passed, failed };
}

/** One line for a README or a log: who passed how many checks, of which plugin API. */
export function badge(subject: string, { passed, total }: { passed: number; total: number }): string {
  return `GvU conformance · plugin API ${PLUGIN_API_VERSION} · ${subject} · ${passed} of ${total} checks`;
}

/** Above this two numbers that are called equal may have nothing to do with each other. */
const largestTolerance = 0.1;

/** Defaults with what was given in their place. Throws GVU_TESTING_OPTIONS for a tolerance that is not from 0 to 0.1. */
export function withTolerances<T extends Readonly<Record<string, number>>>(defaults: T, given: Partial<T> = {}): T {
  const merged = { ...defaults, ...given };
  const wrong = Object.entries(merged).filter(([, value]) => !(value >= 0 && value <= largestTolerance));
  if (wrong.length === 0) return merged;
  const shown = wrong.map(([name, value]) => `${name} is ${value}`).join(', ');
  throw testingErrors.error('GVU_TESTING_OPTIONS', `Tolerances are from 0 to ${largestTolerance}: ${shown}.`, {
    hint: 'Find out where the numbers part instead; a check that passes anything proves nothing.',
  });
}
