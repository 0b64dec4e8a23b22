/** The server and the client of GvU as the conformance kits want them. */
import { createServer } from '@gvu/server';
import { Client, type WebSocketConstructor } from '@gvu/server/client';
import { WebSocket } from 'ws';
import type { ClientConformanceOptions, FollowItem } from '../src/protocol/client.ts';
import type { ServerConformanceOptions } from '../src/protocol/server.ts';

export const startServer: ServerConformanceOptions['start'] = async ({ runs, token }) => {
  const access = token === undefined ? {} : { tokens: [{ token, scopes: ['read'] as const }], anonymous: [] };
  const server = await createServer({ runs, ...access });
  return { url: server.url.replace('http', 'ws'), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};

/** The client over such WebSockets. */
export const connectWith =
  (webSocket: WebSocketConstructor = WebSocket): ClientConformanceOptions['connect'] =>
  ({ url, token }) => {
    const backoff = { firstMs: 50, longestMs: 200 };
    const client = new Client({ url, WebSocket: webSocket, backoff, ...(token !== undefined && { token }) });
    return {
      async *follow({ run, channel }): AsyncGenerator<FollowItem> {
        for await (const item of client.subscribe({ run, channel, from: 'earliest', images: 'full' })) {
          if (item.kind !== 'image') yield item;
          else yield { kind: 'image', offset: item.offset, sha256: item.frame.sha256, bytes: item.frame.bytes };
        }
      },
      request: (method, params, { signal, onImage }) =>
        // The kit asks only for methods that there are, with parameters that fit.
        client.request(method as 'generate', params as { prompt: string }, {
          ...(signal && { signal }),
          ...(onImage && { onImage: ({ sha256 }) => onImage(sha256) }),
        }),
      [Symbol.dispose]: () => client[Symbol.dispose](),
    };
  };
