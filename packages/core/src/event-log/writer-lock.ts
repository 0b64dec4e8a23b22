/**
 * The right of one process to write an event log, kept as files in `events.lock/`.
 *
 * Node has no file locks of the operating system, and a single lock file cannot be taken over safely: between reading it
 * and removing it, another process may have put its own there. So each holder creates the file of the next generation,
 * exclusively, and the highest generation holds. The file of the highest generation is never removed, only renamed to
 * `<generation>.free` on release, so generations never repeat. A holder that died is recognised by process id and start
 * time, so that a process id that is used again does not keep the lock.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { coreErrors } from '../core-errors.ts';
import { isRecord } from '../json-value.ts';
import { hasCode } from './files.ts';

export interface WriterLock {
  /** Gives the right up. */
  release(): void;
}

/**
 * Takes the right to write the log in `directory`.
 * @throws GVU_LOG_LOCKED with `details.pid` when a live process has it.
 */
export function acquireWriterLock(directory: string): WriterLock {
  const lockDirectory = join(directory, 'events.lock');
  mkdirSync(lockDirectory, { recursive: true });
  for (;;) {
    const current = generationsIn(lockDirectory).at(-1);
    if (current && !current.free) requireDead(join(lockDirectory, current.file));

    const generation = (current?.generation ?? 0) + 1;
    const path = join(lockDirectory, String(generation));
    try {
      writeFileSync(path, JSON.stringify(thisProcess()), { flag: 'wx' });
    } catch (error) {
      if (hasCode(error, 'EEXIST')) continue; // another process was faster
      throw error;
    }
    const others = generationsIn(lockDirectory).filter(({ file }) => file !== String(generation));
    if (others.some((other) => other.generation >= generation)) {
      // Others came and went since the look at the directory: this generation is an old one, maybe used and freed already.
      rmSync(path, { force: true });
      continue;
    }
    for (const { file } of others) rmSync(join(lockDirectory, file), { force: true });
    return { release: () => release(path) };
  }
}

function release(path: string): void {
  try {
    renameSync(path, `${path}.free`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error; // the run directory was deleted
  }
}

/** The generations that left a file, ascending. */
function generationsIn(lockDirectory: string): { generation: number; free: boolean; file: string }[] {
  return readdirSync(lockDirectory)
    .flatMap((file) => {
      const [, digits, free] = /^(\d+)(\.free)?$/.exec(file) ?? [];
      return digits === undefined ? [] : [{ generation: Number(digits), free: free !== undefined, file }];
    })
    .sort((a, b) => a.generation - b.generation);
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Start time of the process, in the system's own unit; null where the system does not tell. */
  readonly started: string | null;
}

function thisProcess(): Holder {
  return { pid: process.pid, host: hostname(), started: processState(process.pid)?.started ?? null };
}

/** A holder writes its file at once after creating it; an empty one that is older was left by a crash in between. */
const birthMs = 10_000;

function requireDead(path: string): void {
  let holder: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text === '' && Date.now() - statSync(path).mtimeMs > birthMs) return;
    holder = text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return; // released meanwhile
    if (error instanceof SyntaxError) return; // torn by a crash of the machine
    throw error;
  }
  if (isHolder(holder) && !isAlive(holder)) return;
  const who = isHolder(holder) ? `process ${holder.pid} on ${holder.host}` : 'a process that is just starting';
  throw coreErrors.error('GVU_LOG_LOCKED', `The event log is being written by ${who}.`, {
    hint: `Stop it or use another run directory; if you are sure that it is gone, delete ${path}.`,
    details: { pid: isHolder(holder) ? holder.pid : null, lock: path },
  });
}

function isHolder(value: unknown): value is Holder {
  return isRecord(value) && Number.isSafeInteger(value.pid) && typeof value.host === 'string' && 'started' in value;
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true; // cannot be known from here
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    // EPERM: it exists and belongs to somebody else.
  }
  const state = processState(holder.pid);
  if (state === undefined || holder.started === null) return true;
  return state.started === holder.started && !state.ended;
}

/** Start time of a process, and whether it ended and is only kept for its parent; undefined where /proc is missing. */
function processState(pid: number): { started: string; ended: boolean } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // proc(5): the second field, the program's name in parentheses, may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = '', started = ''] = [fields[0], fields[19]];
  return { started, ended: state === 'Z' || state === 'X' };
}
