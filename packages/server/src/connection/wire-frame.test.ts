import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { wireFrame } from './wire-frame.ts';

/** Around each length that a header has another form for. */
const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];

test('a client reads frames of every length, among those of the WebSocket itself', async () => {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (request, stream, head) =>
    sockets.handleUpgrade(request, stream, head, (socket) => {
      for (const length of lengths) {
        stream.write(wireFrame(Buffer.alloc(length, 'x'), 'text'));
        socket.send('between');
        stream.write(wireFrame(new Uint8Array(length).fill(length % 251), 'binary'));
      }
      socket.close(4000);
    }),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const received: { readonly data: Buffer; readonly binary: boolean }[] = [];
  client.on('message', (data: Buffer, binary) => received.push({ data, binary }));
  expect(await new Promise((resolve) => client.on('close', resolve))).toBe(4000);
  http.close();
  expect(received).toHaveLength(3 * lengths.length);
  for (const [i, length] of lengths.entries()) {
    const [text, between, binary] = received.slice(3 * i);
    expect(text?.binary).toBe(false);
    expect(text?.data.equals(Buffer.alloc(length, 'x'))).toBe(true);
    expect(between?.data.toString()).toBe('between');
    expect(binary?.binary).toBe(true);
    expect(binary?.data.equals(Buffer.alloc(length, length % 251))).toBe(true);
  }
});
