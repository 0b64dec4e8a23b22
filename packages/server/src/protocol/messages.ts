/** All messages by direction, and the types of their unions: what `op` is says which it is. */
import type { JSONSchema } from 'json-schema-to-ts';
import { clientHello, serverHello } from './hello.ts';
import { cancel, error, ping, pong, progress, request, result } from './requests.ts';
import type { Message } from './schema.ts';
import { dropped, events, subscribe, subscribed, unsubscribe, unsubscribed } from './subscriptions.ts';

export const clientMessages = { hello: clientHello, subscribe, unsubscribe, request, cancel, ping } as const;

export const serverMessages = {
  hello: serverHello,
  subscribed,
  unsubscribed,
  events,
  dropped,
  progress,
  result,
  error,
  pong,
} as const;

type UnionOf<Table extends Readonly<Record<string, JSONSchema>>> = {
  [Op in keyof Table]: Message<Table[Op]>;
}[keyof Table];

export type ClientMessage = UnionOf<typeof clientMessages>;
export type ServerMessage = UnionOf<typeof serverMessages>;
