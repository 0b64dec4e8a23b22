// Builds every package and checks what a user would install: entry points, types, module format (publint and attw, as libraries would
// be checked by their authors). Prints a line a package; exits 1 when one has a problem.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const packages = ['packages', 'plugins']
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder)
      .map((name) => `${folder}/${name}`)
      .filter((path) => existsSync(`${path}/package.json`)),
  );
let failed = false;
for (const path of packages) {
  const problems = [
    ['publint', ['run', path, '--strict']],
    ['attw', ['--pack', path, '--profile', 'esm-only', '--format', 'ascii']],
  ].flatMap(([command, args]) => {
    const { status, stdout, stderr } = spawnSync(`node_modules/.bin/${command}`, args, { encoding: 'utf8' });
    return status === 0 ? [] : [`${command}:\n${stdout}${stderr}`];
  });
  process.stdout.write(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${path}\n${problems.join('\n')}`);
  failed ||= problems.length > 0;
}
process.exitCode = failed ? 1 : 0;
