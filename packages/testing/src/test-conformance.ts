/** Conformance checks as tests of vitest, or of any runner with its functions. */
import { badge, type ConformanceCheck } from './check.ts';

/** The functions of a test runner: vitest as a module, say. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown;
  test(name: string, run: () => Promise<void>): unknown;
  afterAll(run: () => void): unknown;
}

/** Registers one test for each check, and prints the badge of `subject` when they have run. */
export function testConformance(runner: TestRunner, subject: string, checks: readonly ConformanceCheck[]): void {
  runner.describe(subject, () => {
    let passed = 0;
    for (const { name, run } of checks)
      runner.test(name, async () => {
        await run();
        passed++;
      });
    runner.afterAll(() => {
      process.stdout.write(`${badge(subject, { passed, total: checks.length })}\n`);
    });
  });
}
