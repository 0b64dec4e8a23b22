/** The program `gvu` as a process that serves a page. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '../../..');
const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

export interface GvuProcess extends AsyncDisposable {
  /** By the word before it: `Watch`, `Control`. */
  readonly urls: Readonly<Record<string, string>>;
  readonly output: () => string;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Starts it and waits until it tells its addresses. */
export async function startGvu(args: readonly string[], cwd: string): Promise<GvuProcess> {
  const program = ['--conditions=@gvu/source', '--import', loader, join(root, 'packages/cli/src/main.ts')];
  const child: ChildProcess = spawn(process.execPath, [...program, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const told = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        output += data;
        // The line after the addresses is there: so are they.
        if (/Watch: .*\n(.*\n)/.test(output)) resolve();
      });
    }
  });
  await Promise.race([told, ended]);
  const urls = Object.fromEntries(
    [...output.matchAll(/^(Watch|Control): +(\S+)$/gm)].map(([, name = '', url = '']) => [name, url]),
  );
  if (urls.Watch === undefined) throw new Error(`gvu ${args.join(' ')} does not serve:\n${output}`);
  return {
    urls,
    output: () => output,
    ended,
    kill: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
