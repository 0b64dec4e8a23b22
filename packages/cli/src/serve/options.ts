/** Where a server listens and who may do what there: the options of `gvu serve`, and what they come to. */
import { randomBytes } from 'node:crypto';
import type { AccessToken, Scope } from '@gvu/server';
import { Option } from 'commander';
import { wholeNumber } from '../commands/shared-options.ts';

/** GvU's own, unless another is given. */
export const defaultPort = 8642;

export interface ListenOptions {
  readonly host: string;
  readonly port?: number;
}

export const listenOptions = (): readonly Option[] => [
  new Option('--host <address>', 'address to serve at; any other than loopback asks everybody for a token').default(
    '127.0.0.1',
  ),
  new Option('--port <n>', `port to serve at; 0 takes any (default: ${defaultPort}, or any if it is taken)`).argParser(
    wholeNumber(0),
  ),
];

export interface Access {
  readonly tokens: readonly AccessToken[];
  /** Lets in to watch and to use the model; absent where everybody may. */
  readonly watchToken: string | undefined;
  /** Lets in to steer training too; absent where there is none. */
  readonly controlToken: string | undefined;
}

const watching: readonly Scope[] = ['read', 'infer'];

/**
 * New tokens, or those of the environment for whoever must keep them: GVU_TOKEN and GVU_CONTROL_TOKEN. On loopback, watching takes
 * none unless one is set.
 */
export function accessAt(
  { host, control }: { readonly host: string; readonly control: boolean },
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): Access {
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.');
  const newToken = () => randomBytes(18).toString('base64url');
  const watchToken = env.GVU_TOKEN || (local ? undefined : newToken());
  const controlToken = control ? env.GVU_CONTROL_TOKEN || newToken() : undefined;
  const tokens: AccessToken[] = [];
  if (watchToken !== undefined) tokens.push({ token: watchToken, scopes: watching });
  if (controlToken !== undefined) tokens.push({ token: controlToken, scopes: [...watching, 'control'] });
  return { tokens, watchToken, controlToken };
}

/** The address of the page; the token is behind the `#`, which browsers keep to themselves. */
export function pageUrl(url: string, token: string | undefined): string {
  return token === undefined ? url : `${url}/#token=${encodeURIComponent(token)}`;
}
