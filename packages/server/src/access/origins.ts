/**
 * Which web pages may talk to the server. Browsers let any page open a WebSocket to this machine, and a page may have its own name point
 * here; both show in the headers `Origin` and `Host`. Programs send no Origin, and are let through.
 */
import type { IncomingMessage } from 'node:http';

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

export function isLoopback(host: string): boolean {
  return host === '::1' || loopbackNames.includes(host) || host.startsWith('127.');
}

export class Origins {
  readonly #allowed: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string> | undefined;

  /**
   * Allowed are `origins`, such as `https://lab.example`, and the server's own pages. On loopback its own names are known; elsewhere
   * the Host that the page was fetched by is taken for one.
   */
  constructor(origins: readonly string[], loopback: boolean) {
    this.#allowed = new Set(origins);
    this.#hosts = loopback ? new Set(loopbackNames) : undefined;
  }

  /** Why a request is not let through; undefined when it is. */
  refusal(request: IncomingMessage): string | undefined {
    if (!this.#hostAllowed(request)) return `host ${request.headers.host}`;
    if (!this.#originAllowed(request)) return `origin ${request.headers.origin}`;
    return undefined;
  }

  /** Whether the request names the server by a name that is its own. */
  #hostAllowed({ headers }: IncomingMessage): boolean {
    if (this.#hosts === undefined) return true;
    const name = headers.host?.replace(/:\d+$/, '').toLowerCase();
    return name === undefined || this.#hosts.has(name);
  }

  #originAllowed({ headers, socket }: IncomingMessage): boolean {
    const { origin, host } = headers;
    if (origin === undefined || this.#allowed.has(origin)) return true;
    const scheme = 'encrypted' in socket ? 'https' : 'http';
    return host !== undefined && origin === `${scheme}://${host}`;
  }
}
