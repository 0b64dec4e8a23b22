/** The server of the command line: the runs, the page, and what the command offers besides. */
import { dashboardPages } from '@gvu/dashboard';
import { createServer, type RunServer, type ServerLogEntry, type ServerOptions } from '@gvu/server';
import { note } from '../terminal/terminal.ts';
import { accessAt, defaultPort, type ListenOptions, pageUrl, reachableUrl, readTls } from './options.ts';

export interface OpenServer extends AsyncDisposable {
  /** What to tell the user: the addresses of the page. */
  readonly lines: readonly string[];
}

export type Offer = Pick<ServerOptions, 'runs' | 'models' | 'control' | 'plugins'>;

/** Starts to serve. Throws GVU_SERVER_LISTEN, GVU_SERVER_OPTIONS. */
export async function openServer(offer: Offer, listen: ListenOptions): Promise<OpenServer> {
  const { host } = listen;
  const { tokens, watchToken, controlToken } = accessAt({ host, control: offer.control !== undefined });
  const tls = await readTls(listen);
  const options: ServerOptions = {
    ...offer,
    host,
    tokens,
    pages: await dashboardPages(),
    ...(tls && { tls }),
    log: logEntry,
    // Where there is a token for watching, nobody is let in without one.
    ...(watchToken !== undefined && { anonymous: [] }),
  };
  const server = await start(options, listen.port);
  const url = reachableUrl(server.url);
  const lines = [`Watch:   ${pageUrl(url, watchToken)}`];
  if (controlToken !== undefined) lines.push(`Control: ${pageUrl(url, controlToken)}`);
  return { lines, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** At the port given; without one at GvU's own, or at any if that is taken. */
async function start(options: ServerOptions, port: number | undefined): Promise<RunServer> {
  if (port !== undefined) return await createServer({ ...options, port });
  try {
    return await createServer({ ...options, port: defaultPort });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw error;
    return await createServer({ ...options, port: 0 });
  }
}

/** Who was turned away, and what went wrong; clients that come and go are no news. */
function logEntry(entry: ServerLogEntry): void {
  if (entry.event === 'failed') note(`[server] ${String(entry.error)}`);
  else if (entry.event === 'refused') note(`[server] refused ${entry.address}: ${entry.reason}`);
  else if (entry.code >= 4400) note(`[server] closed ${entry.address}: ${entry.code} ${entry.reason}`);
}
