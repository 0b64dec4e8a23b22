/** What all connections of a server share. */
import type { Tokens } from './access/tokens.ts';
import type { Connection } from './connection/connection.ts';
import type { Handlers } from './handlers.ts';
import type { ServerLimits } from './limits.ts';
import type { Scope, ServerHello } from './protocol/hello.ts';
import type { Feed } from './runs/feed.ts';
import type { RunFeeds } from './runs/run-feeds.ts';
import type { Statistics } from './statistics.ts';

/** What is worth knowing about a server afterwards. */
export type ServerLogEntry =
  | { readonly event: 'refused'; readonly address: string; readonly reason: string }
  | { readonly event: 'closed'; readonly address: string; readonly code: number; readonly reason: string }
  | { readonly event: 'failed'; readonly error: unknown };

export interface ServerContext {
  readonly limits: ServerLimits;
  readonly statistics: Statistics;
  readonly tokens: Tokens;
  readonly capabilities: readonly string[];
  readonly handlers: Handlers;
  readonly feeds: RunFeeds;
  readonly serverFeed: Feed;
  readonly hello: (scopes: readonly Scope[]) => Promise<ServerHello>;
  readonly log: (entry: ServerLogEntry) => void;
  readonly leave: (connection: Connection) => void;
}
