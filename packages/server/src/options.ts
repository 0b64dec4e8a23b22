/** The options of a server, and which of them would be unsafe. */
import { isLoopback } from './access/origins.ts';
import type { AccessToken } from './access/tokens.ts';
import { serverErrors } from './errors.ts';
import type { Services } from './handlers.ts';
import type { Pages } from './http/answer.ts';
import { defaultLimits, type ServerLimits } from './limits.ts';
import type { Scope } from './protocol/hello.ts';
import type { ServerLogEntry } from './server-context.ts';

export interface ServerOptions extends Omit<Services, 'runs'> {
  /** Folder of the runs; it need not exist yet. */
  readonly runs: string;
  /** Address to listen at; default 127.0.0.1. Any other than loopback takes tokens. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  readonly tokens?: readonly AccessToken[];
  /** What may be done without a token. Default: on loopback `read` and `infer`, elsewhere nothing. */
  readonly anonymous?: readonly Scope[];
  /** Origins of web pages, such as `https://lab.example`, that may connect besides the server's own pages. */
  readonly origins?: readonly string[];
  /** Certificate and key in PEM: the server then speaks `wss` and `https`. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** What is served to browsers besides pictures. */
  readonly pages?: Pages;
  readonly limits?: Partial<ServerLimits>;
  /** Is told of refusals, disconnections and failures. */
  readonly log?: (entry: ServerLogEntry) => void;
}

/**
 * The options with their defaults.
 * @throws GVU_SERVER_OPTIONS with every problem
 */
export function resolveOptions(options: ServerOptions) {
  const { host = '127.0.0.1', port = 0, tokens = [], origins = [] } = options;
  const loopback = isLoopback(host);
  const anonymous: readonly Scope[] = options.anonymous ?? (loopback ? ['read', 'infer'] : []);
  const limits: ServerLimits = { ...defaultLimits, ...options.limits };
  const problems = [
    ...(Number.isInteger(port) && port >= 0 && port < 65536 ? [] : [`port must be from 0 to 65535, but is ${port}.`]),
    ...tokens.filter(({ token }) => token.length < 16).map(() => 'A token must have at least 16 characters.'),
    ...(loopback || tokens.length > 0 ? [] : [`Listening at ${host} takes at least one token.`]),
    ...(loopback || !anonymous.includes('control') ? [] : [`At ${host}, "control" must take a token.`]),
    ...Object.entries(limits)
      .filter(([, value]) => !(Number.isFinite(value) && value >= 1 && value < 2 ** 31))
      .map(([limit, value]) => `limits.${limit} must be from 1 to ${2 ** 31 - 1}, but is ${value}.`),
  ];
  if (problems.length > 0)
    throw serverErrors.error('GVU_SERVER_OPTIONS', problems.join(' '), { details: { problems } });
  return { ...options, host, port, tokens, origins, loopback, anonymous, limits };
}
