/** Runs the program from its source as a process of its own, as a user's shell would. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GvuOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** No file may get larger, in blocks of the shell's `ulimit` (512 bytes or 1 KiB): writing fails then, as on a full disk. */
  readonly fileBlocks?: number;
  /** Is given all of the stream so far whenever there is more. */
  readonly onStderr?: (text: string, child: ChildProcessWithoutNullStreams) => void;
  readonly onStdout?: (text: string, child: ChildProcessWithoutNullStreams) => void;
}

const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
export const nodeArguments = [
  '--conditions=@gvu/source',
  '--import',
  loader,
  join(import.meta.dirname, '../src/main.ts'),
];

export async function gvu(
  args: readonly string[],
  { cwd, env = {}, fileBlocks, onStderr, onStdout }: GvuOptions = {},
): Promise<Ended> {
  // What the test runner says about colours is not meant for the program.
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  const limit = fileBlocks === undefined ? [] : ['sh', '-c', `ulimit -f ${fileBlocks}; exec "$@"`, 'sh'];
  const [command = '', ...rest] = [...limit, process.execPath, ...nodeArguments, ...args];
  const child = spawn(command, rest, { cwd, env: { ...inherited, ...env } });
  child.stdin.end();
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
    onStdout?.(stdout, child);
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    onStderr?.(stderr, child);
  });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
