/**
 * The folder of runs: which runs there are and where. Every folder below it that has an event log is a run; its name is the
 * run's. Names come from strangers, so they are held to letters that lead nowhere else.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isGvuError, isRecord, tailEvents } from '@gvu/core';
import { serverErrors } from '../errors.ts';
import type { RunSummary } from '../protocol/hello.ts';
import type { Steered } from '../run-control.ts';

const runPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Enough for the last events of a run. */
const endBytes = 1 << 16;

export class RunDirectory {
  readonly path: string;
  /** Epochs by identity of the file. */
  readonly #epochs = new Map<string, string>();
  /** By run, what the end of its log said when it was last written: it is looked for every second, and most runs have long ended. */
  readonly #ends = new Map<string, { readonly written: string; readonly reason: string | undefined }>();
  readonly #steered: (() => ReadonlyMap<string, Steered>) | undefined;

  /** `steered`: which runs can be steered at this moment. */
  constructor(path: string, steered?: () => ReadonlyMap<string, Steered>) {
    this.path = path;
    this.#steered = steered;
  }

  /**
   * The folder of a run, which need not exist.
   * @throws GVU_SERVER_RUN_UNKNOWN when it is no name of a run at all
   */
  directoryOf(run: string): string {
    if (runPattern.test(run)) return join(this.path, run);
    throw unknownRun(run);
  }

  /** All runs, the one written last first. Folders without a readable log are left out. */
  async list(): Promise<readonly RunSummary[]> {
    const names = await readdir(this.path).catch((): string[] => []);
    const runs = await Promise.all(names.filter((name) => runPattern.test(name)).map((name) => this.#summary(name)));
    return runs.filter((run) => run !== undefined).sort((a, b) => (a.updated < b.updated ? 1 : -1));
  }

  async #summary(run: string): Promise<RunSummary | undefined> {
    const directory = join(this.path, run);
    const path = join(directory, 'events.jsonl');
    try {
      const { size, mtime, mtimeMs, ino, birthtimeMs } = await stat(path);
      const identity = `${run} ${ino} ${birthtimeMs}`;
      const epoch = this.#epochs.get(identity) ?? (await tailEvents(directory)).epoch;
      this.#epochs.set(identity, epoch);
      const written = `${identity} ${size} ${mtimeMs}`;
      const known = this.#ends.get(run);
      const reason = known?.written === written ? known.reason : await endReason(path, size);
      this.#ends.set(run, { written, reason });
      const steered = this.#steered?.().get(run);
      return {
        run,
        epoch,
        ...(reason === undefined ? { state: 'open' } : { state: 'ended', reason }),
        ...(steered !== undefined && { steered }),
        bytes: size,
        updated: mtime.toISOString(),
      };
    } catch {
      return undefined; // no log, not yet one, or none that can be read: subscribing says why
    }
  }
}

/** GVU_SERVER_RUN_UNKNOWN. The name is shortened: it may be anything. */
export function unknownRun(run: string): Error {
  return serverErrors.error('GVU_SERVER_RUN_UNKNOWN', `There is no run ${JSON.stringify(run.slice(0, 128))}.`, {
    hint: 'Take the name of a run from the hello of the server.',
  });
}

/** Errors of the log in terms of the run: the originals tell paths on this machine. */
export function asRunError(run: string, thrown: unknown): unknown {
  if (isGvuError(thrown, 'GVU_LOG_MISSING')) return unknownRun(run);
  if (!isGvuError(thrown, 'GVU_LOG_EPOCH') && !isGvuError(thrown, 'GVU_LOG_OFFSET')) return thrown;
  return serverErrors.error('GVU_SERVER_EPOCH', `The log of the run ${run} was replaced by another one.`, {
    hint: 'Subscribe again from "earliest".',
    cause: thrown,
  });
}

/** Why the run ended, from the last events of its log; undefined when it has not, or has begun again. */
async function endReason(path: string, size: number): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const length = Math.min(size, endBytes);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, size - length);
    const bytes = buffer.subarray(0, bytesRead);
    for (let at = bytes.lastIndexOf('"run.'); at >= 0; ) {
      const begin = bytes.lastIndexOf('\n', at) + 1;
      const end = bytes.indexOf('\n', at);
      const event = parsed(bytes.toString('utf8', begin, end < 0 ? undefined : end));
      if (isRecord(event)) {
        if (event.type === 'run.started' || event.type === 'run.resumed') return undefined;
        if (event.type === 'run.ended' && isRecord(event.data)) return String(event.data.reason);
      }
      if (begin === 0) break;
      at = bytes.lastIndexOf('"run.', begin - 1);
    }
    return undefined;
  } finally {
    await file.close();
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // the cut line at either end
  }
}
