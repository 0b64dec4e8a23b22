/** What the README shows must run as it stands, and as the README says. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the example runs and gives the gradient of a mean square', { timeout: 60_000 }, () => {
  const [, example] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  expect(example).toContain('Runtime.create');
  // Inside the repository, where the packages are found.
  const directory = mkdtempSync(join(root, 'tools', 'readme-'));
  try {
    const file = join(directory, 'first.ts');
    writeFileSync(file, `${example}\nconsole.log(JSON.stringify([...values.data]));\n`);
    const { stdout, stderr } = spawnSync('npx', ['tsx', '--conditions=@gvu/source', file], {
      cwd: root,
      encoding: 'utf8',
    });
    const slope = JSON.parse(stdout || 'null');
    expect(slope, stderr).toEqual([2 / 3, 4 / 3, 2].map(Math.fround));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
