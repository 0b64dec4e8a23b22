/**
 * Sessions by key, so that each shape is compiled once. At most `limit` models stay in memory: the one unused for longest
 * is unloaded, after the runs that wait for it. Whoever still holds it can run it; that loads it again, and it counts
 * again. So nothing has to be given back, and nothing is in use after it has gone.
 */
import type { TensorData } from '../tensor-data.ts';
import type { Program } from './program.ts';
import type { RunOptions } from './run-request.ts';
import type { Session } from './session.ts';

/** A session that the cache owns; made by `Runtime.cached`. */
export class CachedSession {
  readonly program: Program;
  readonly #session: Session;
  readonly #touch: () => void;

  constructor(session: Session, touch: () => void) {
    this.program = session.program;
    this.#session = session;
    this.#touch = touch;
  }

  /** As `Session.run`. */
  run<const Name extends string = string>(
    feeds: Readonly<Record<string, TensorData>>,
    options: RunOptions<Name> = {},
  ): Promise<Readonly<Record<Name, TensorData>>> {
    this.#touch();
    return this.#session.run(feeds, options);
  }
}

export class SessionCache {
  readonly #limit: number;
  readonly #byKey = new Map<string, Promise<CachedSession>>();
  /** The sessions in memory with their keys, the one unused for longest first. */
  readonly #recent = new Map<Session, string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The session of a key; `open` makes it when there is none. Failures are not kept. */
  get(key: string, open: () => Promise<Session>): Promise<CachedSession> {
    const known = this.#byKey.get(key);
    if (known) return known;
    const opening = this.#open(key, open);
    this.#byKey.set(key, opening);
    opening.catch(() => this.#byKey.delete(key));
    return opening;
  }

  async #open(key: string, open: () => Promise<Session>): Promise<CachedSession> {
    const session = await open();
    this.#touch(session, key);
    return new CachedSession(session, () => this.#touch(session, key));
  }

  #touch(session: Session, key: string): void {
    this.#recent.delete(session);
    this.#recent.set(session, key);
    for (const [oldest, oldKey] of this.#recent) {
      if (this.#recent.size <= this.#limit) return;
      this.#recent.delete(oldest);
      this.#byKey.delete(oldKey);
      void oldest.unload();
    }
  }
}
