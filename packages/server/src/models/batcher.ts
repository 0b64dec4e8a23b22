/**
 * Puts requests that come at about the same time into one call of the model, and refuses what would wait too long.
 *
 * A job is one or more rows that are answered together. A batch takes rows of the jobs that wait longest, as long as they can go together;
 * a large job is spread over several batches. When a batch of several jobs fails, each is tried alone: the mistake of one must not be the
 * failure of others.
 */
import { serverErrors } from '../errors.ts';

export interface BatcherOptions<Row, Answer> {
  /** One answer for each row. */
  readonly run: (rows: readonly Row[], signal: AbortSignal) => Promise<readonly Answer[]>;
  /** Rows with different keys never go together. */
  readonly keyOf?: (row: Row) => string;
  /** Rows of a batch. */
  readonly maxRows: number;
  /** How long the first row waits for others. */
  readonly windowMs: number;
  /** Rows that may wait. */
  readonly maxWaiting: number;
  /** Runs one piece of work at a time, of this batcher and of others. */
  readonly turn: <T>(work: () => Promise<T>) => Promise<T>;
}

interface Job<Row, Answer> {
  readonly rows: readonly Row[];
  readonly signal: AbortSignal;
  readonly onRunning: () => void;
  readonly answers: Answer[];
  /** Rows that are in a batch, or were. */
  taken: number;
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Part<Row, Answer> {
  readonly job: Job<Row, Answer>;
  readonly rows: readonly Row[];
}

export class Batcher<Row, Answer> {
  readonly #options: BatcherOptions<Row, Answer>;
  readonly #jobs: Job<Row, Answer>[] = [];
  #working: boolean = false;
  /** Running mean of the time of a batch. */
  #batchMs = 1000;

  constructor(options: BatcherOptions<Row, Answer>) {
    this.#options = options;
  }

  /**
   * The answers to rows. Rejects with the reason of the signal when that is aborted.
   * @throws GVU_SERVER_OVERLOADED with `details.retryAfterMs` when too many rows wait
   */
  async submit(
    rows: readonly Row[],
    { signal, onRunning }: { readonly signal: AbortSignal; readonly onRunning: () => void },
  ): Promise<readonly Answer[]> {
    signal.throwIfAborted();
    this.#requireRoom(rows.length);
    let giveUp = (): void => undefined;
    try {
      return await new Promise<readonly Answer[]>((resolve, reject) => {
        const job: Job<Row, Answer> = { rows, signal, onRunning, answers: [], taken: 0, resolve, reject };
        giveUp = () => {
          this.#remove(job);
          reject(signal.reason);
        };
        this.#jobs.push(job);
        signal.addEventListener('abort', giveUp);
        if (!this.#working) this.#work().catch(reject);
      });
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  #requireRoom(rows: number): void {
    const { maxWaiting, maxRows } = this.#options;
    const waiting = this.#jobs.reduce((sum, job) => sum + job.rows.length - job.taken, 0);
    if (waiting === 0 || waiting + rows <= maxWaiting) return;
    const retryAfterMs = Math.ceil(Math.ceil(waiting / maxRows) * this.#batchMs);
    throw serverErrors.error('GVU_SERVER_OVERLOADED', `${waiting} requests are waiting for the model.`, {
      hint: `Ask again in ${retryAfterMs} ms.`,
      details: { retryAfterMs },
    });
  }

  #remove(job: Job<Row, Answer>): void {
    const index = this.#jobs.indexOf(job);
    if (index >= 0) this.#jobs.splice(index, 1);
  }

  async #work(): Promise<void> {
    const { windowMs, turn } = this.#options;
    this.#working = true;
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    while (this.#jobs.length > 0) {
      // What is taken is decided when it is our turn: more may have come by then.
      await turn(async () => {
        const parts = this.#take();
        if (parts.length > 0) await this.#answer(parts);
      });
    }
    this.#working = false; // in the same breath as finding that nothing waits
  }

  /** The rows of the next batch, by job. */
  #take(): readonly Part<Row, Answer>[] {
    const { maxRows, keyOf = () => '' } = this.#options;
    const parts: Part<Row, Answer>[] = [];
    let key: string | undefined;
    let room = maxRows;
    for (const job of this.#jobs) {
      const [first] = job.rows.slice(job.taken);
      if (room === 0 || first === undefined) continue;
      key ??= keyOf(first);
      if (keyOf(first) !== key) continue;
      const rows = job.rows.slice(job.taken, job.taken + room);
      job.taken += rows.length;
      room -= rows.length;
      parts.push({ job, rows });
    }
    return parts;
  }

  async #answer(parts: readonly Part<Row, Answer>[]): Promise<void> {
    for (const { job } of parts) job.onRunning();
    const begin = performance.now();
    try {
      const rows = parts.flatMap((part) => part.rows);
      const answers = await this.#run(rows, parts);
      let at = 0;
      for (const part of parts) {
        this.#collect(part.job, answers.slice(at, at + part.rows.length));
        at += part.rows.length;
      }
    } catch (error) {
      if (parts.length > 1) {
        for (const part of parts) if (!part.job.signal.aborted) await this.#answer([part]);
        return;
      }
      for (const { job } of parts) {
        this.#remove(job);
        job.reject(error);
      }
    }
    this.#batchMs += (performance.now() - begin - this.#batchMs) / 4;
  }

  /** Aborted only when nobody is left who wants the answers. */
  async #run(rows: readonly Row[], parts: readonly Part<Row, Answer>[]): Promise<readonly Answer[]> {
    const abort = new AbortController();
    const check = (): void => {
      if (parts.every(({ job }) => job.signal.aborted)) abort.abort(parts[0]?.job.signal.reason);
    };
    for (const { job } of parts) job.signal.addEventListener('abort', check);
    try {
      check();
      abort.signal.throwIfAborted();
      return await this.#options.run(rows, abort.signal);
    } finally {
      for (const { job } of parts) job.signal.removeEventListener('abort', check);
    }
  }

  #collect(job: Job<Row, Answer>, answers: readonly Answer[]): void {
    job.answers.push(...answers);
    if (job.answers.length < job.rows.length) return;
    this.#remove(job);
    job.resolve(job.answers);
  }
}
