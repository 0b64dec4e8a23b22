/** The feeds that are in use, one for each run; a feed stays a little longer than its last subscription, for those who come back. */
import type { RunDirectory } from './run-directory.ts';
import { RunFeed } from './run-feed.ts';

const lingerMs = 10_000;

interface Entry {
  readonly feed: Promise<RunFeed>;
  uses: number;
  timer?: NodeJS.Timeout;
}

export interface FeedLease extends Disposable {
  readonly feed: RunFeed;
}

export class RunFeeds implements AsyncDisposable {
  readonly #directory: RunDirectory;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(directory: RunDirectory) {
    this.#directory = directory;
  }

  /**
   * The feed of a run, until the lease is disposed of.
   * @throws GVU_SERVER_RUN_UNKNOWN, GVU_LOG_CORRUPT
   */
  async acquire(run: string): Promise<FeedLease> {
    const entry = this.#entries.get(run) ?? this.#open(run);
    clearTimeout(entry.timer);
    entry.uses++;
    try {
      const feed = await entry.feed;
      let held = true;
      return {
        feed,
        [Symbol.dispose]: () => {
          if (held) this.#release(run, entry);
          held = false;
        },
      };
    } catch (error) {
      this.#release(run, entry);
      throw error;
    }
  }

  #open(run: string): Entry {
    const entry: Entry = { feed: RunFeed.open(run, this.#directory.directoryOf(run)), uses: 0 };
    this.#entries.set(run, entry);
    // A feed that ended, or could not begin, must not be met again.
    const forget = (): void => {
      if (this.#entries.get(run) === entry) this.#entries.delete(run);
    };
    entry.feed.then((feed) => feed.over).then(forget, forget);
    return entry;
  }

  #release(run: string, entry: Entry): void {
    if (--entry.uses > 0) return;
    entry.timer = setTimeout(() => {
      if (this.#entries.get(run) === entry) this.#entries.delete(run);
      const closing = close(entry).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }, lingerMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { timer } of entries) clearTimeout(timer);
    await Promise.all([...entries.map(close), ...this.#closing]);
  }
}

async function close({ feed }: Entry): Promise<void> {
  const opened = await feed.catch(() => undefined);
  await opened?.[Symbol.asyncDispose]();
}
