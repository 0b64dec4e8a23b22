/** The one connection of the page: what the server is and offers, which runs there are, and what is collected of each. */
import { Client, type RunSummary, type ServerHello } from '@gvu/server/client';
import { Pictures } from './pictures.ts';
import { RunData } from './run-data.ts';
import { Store } from './store.ts';

export type ConnectionState = 'connecting' | 'open' | 'lost' | 'refused';

const tokenKey = 'gvu-token';

export class Session extends Store {
  readonly client: Client;
  readonly pictures: Pictures;
  state: ConnectionState = 'connecting';
  /** The last greeting, also while the connection is lost. */
  hello: ServerHello | undefined;
  runs: readonly RunSummary[] = [];
  /** Why the server refused this page. */
  refusal: string | undefined;
  readonly #runData = new Map<string, RunData>();

  constructor() {
    super();
    const token = takeToken();
    this.pictures = new Pictures(token);
    this.client = new Client({
      url: location.origin.replace(/^http/, 'ws'),
      name: 'gvu-dashboard',
      backoff: { firstMs: 250, longestMs: 4_000 },
      ...(token !== undefined && { token }),
      onConnection: (hello) => this.#connection(hello),
    });
    this.#followRuns().catch((error: unknown) => {
      this.state = 'refused';
      this.refusal = error instanceof Error ? error.message : String(error);
      this.changed();
    });
  }

  /** Whether the server offers a method at all, and whether this page may use it. */
  offers(method: string): boolean {
    return this.hello?.capabilities.includes(method) === true;
  }

  may(scope: 'read' | 'infer' | 'control'): boolean {
    return this.hello?.scopes.includes(scope) === true;
  }

  /** What is collected of a run; the collection begins with the first call. */
  dataOf(run: string): RunData {
    const data = this.#runData.get(run) ?? new RunData(this.client, run);
    this.#runData.set(run, data);
    return data;
  }

  #connection(hello: ServerHello | undefined): void {
    this.state = hello ? 'open' : this.hello ? 'lost' : 'connecting';
    if (hello) {
      this.hello = hello;
      this.runs = hello.runs;
    }
    this.changed();
  }

  async #followRuns(): Promise<void> {
    for await (const item of this.client.subscribe({ channel: 'server', from: 'latest' })) {
      if (item.kind !== 'event' || item.type !== 'server.runs') continue;
      const { data } = item;
      if (typeof data !== 'object' || data === null || !('runs' in data) || !Array.isArray(data.runs)) continue;
      this.runs = data.runs;
      this.changed();
    }
  }
}

/** The token comes behind the # of the address and is taken from there at once, so that it is not passed on with it. */
function takeToken(): string | undefined {
  const given = /^#token=([^&]+)/.exec(location.hash)?.[1];
  if (given !== undefined) {
    sessionStorage.setItem(tokenKey, decodeURIComponent(given));
    history.replaceState(null, '', `${location.pathname}#/`);
  }
  return sessionStorage.getItem(tokenKey) ?? undefined;
}

/** Connects anew with another token; an empty one is none. */
export function changeToken(token: string): void {
  if (token === '') sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, token);
  location.reload();
}
