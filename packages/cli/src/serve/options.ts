/** Where a server listens and who may do what there: the options of `gvu serve`, and what they come to. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { PluginHost } from '@gvu/core';
import type { AccessToken, Scope } from '@gvu/server';
import { Option } from 'commander';
import { wholeNumber } from '../commands/shared-options.ts';
import { cliErrors } from '../errors.ts';

/** GvU's own, unless another is given. */
export const defaultPort = 8642;

export interface ListenOptions {
  readonly host: string;
  readonly port?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export const listenOptions = (): readonly Option[] => [
  new Option('--host <address>', 'address to serve at; any other than loopback asks everybody for a token').default(
    '127.0.0.1',
  ),
  new Option('--port <n>', `port to serve at; 0 takes any (default: ${defaultPort}, or any if it is taken)`).argParser(
    wholeNumber(0),
  ),
  new Option('--tls-cert <file>', 'certificate in PEM, to serve https and wss; with --tls-key'),
  new Option('--tls-key <file>', 'the key of the certificate in PEM'),
];

/** What the server needs for TLS; undefined without it. Throws GVU_CLI_USAGE, GVU_CLI_FILE. */
export async function readTls({ tlsCert, tlsKey }: ListenOptions): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw cliErrors.error('GVU_CLI_USAGE', 'Of --tls-cert and --tls-key one is missing.', { hint: 'Give both.' });
  }
  const [cert, key] = await Promise.all([tlsCert, tlsKey].map(readPem));
  return cert && key && { cert, key };
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.error('GVU_CLI_FILE', `'${file}' cannot be read: ${why}.`, { hint: 'Give a file in PEM.', cause });
  }
}

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

/** Where others find a server: one that listens at all addresses, at the first of this machine that is not loopback. */
export function reachableUrl(url: string, interfaces = networkInterfaces()): string {
  const { protocol, hostname, port } = new URL(url);
  if (hostname !== '0.0.0.0' && hostname !== '[::]') return url;
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const address = all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
  return `${protocol}//${address}:${port}`;
}

/** What the server tells of the plugins that are loaded. */
export function pluginsOf(host: PluginHost) {
  const byName = new Map<string, { name: string; version: string; state: 'ready'; contributions: string[] }>();
  for (const { kind, id, plugin } of host.contributions()) {
    const { name, version } = plugin;
    const entry = byName.get(name) ?? { name, version, state: 'ready', contributions: [] };
    entry.contributions.push(`${kind}/${id}`);
    byName.set(name, entry);
  }
  return [...byName.values()];
}
