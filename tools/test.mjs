// `npm test`: everything that CI runs, in the order in which a fault is cheapest to find. The last line counts tests and checks:
// `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const report = join(mkdtempSync(join(tmpdir(), 'gvu-test-')), 'vitest.json');
const checks = [
  ['lint and format', 'biome', ['ci', '.']],
  ['types', 'tsc', ['--build']],
  ['dead code', 'knip', []],
  ['packages', 'node', ['tools/check-packages.mjs']],
];

let passed = 0;
let failed = 0;
const started = Date.now();
const seconds = () => `${((Date.now() - started) / 1000).toFixed(0)} s`;
const run = (command, args) =>
  spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, NX_DAEMON: 'false' } }).status === 0;

for (const [name, command, args] of checks) {
  const ok = run(command, args);
  process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds()})\n`);
  if (ok) passed++;
  else failed++;
}

const ok = run('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]);
try {
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  passed += numPassedTests;
  // A file that fails to load fails no test of its own: it still counts.
  failed += Math.max(numFailedTests, ok ? 0 : Math.max(1, numFailedTestSuites));
} catch {
  failed++;
}
rmSync(join(report, '..'), { recursive: true, force: true });

process.stdout.write(`${seconds()}\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
