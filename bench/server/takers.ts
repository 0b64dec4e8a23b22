/**
 * Clients of a training run that shall cost the trainer's machine as little as clients elsewhere would: they shake hands, say hello,
 * subscribe to every channel, with whole pictures, and then only count the bytes that arrive, at the lowest priority. What they
 * are sent is the same. Argument: number of clients. The parent sends `{ url, run }` to have them come, and `{}` to wait until nothing more
 * arrives; both are answered with `{ bytes }`, which all of them together have taken.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { channelNames } from '@gvu/server/protocol';

setPriority(19);
const count = Number(process.argv[2] ?? 10);
let bytes = 0;

/** A text frame of a client, of less than 126 bytes, with a mask of zeros (RFC 6455, 5.2). */
function textFrame(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

async function come(url: string, run: string): Promise<void> {
  const { hostname, port, host } = new URL(url);
  /** What has arrived of the answer that is awaited. */
  let text: string | undefined = '';
  const socket = connect({
    ...{ host: hostname, port: Number(port) },
    onread: {
      // One for all that arrives: nothing is kept.
      buffer: Buffer.alloc(1 << 18),
      callback: (length, buffer) => {
        bytes += length;
        if (text !== undefined) {
          text += Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1');
          socket.emit('taken');
        }
        return true;
      },
    },
  });
  const answer = async (word: string): Promise<void> => {
    while (!text?.includes(word)) await once(socket, 'taken');
    text = '';
  };
  await once(socket, 'connect');
  const headers = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const key = Buffer.alloc(16).toString('base64');
  const protocol = 'Sec-WebSocket-Protocol: gvu.v1';
  socket.write(
    ['GET / HTTP/1.1', `Host: ${host}`, ...headers, `Sec-WebSocket-Key: ${key}`, protocol, '', ''].join('\r\n'),
  );
  await answer('101 Switching Protocols');
  socket.write(textFrame({ op: 'hello', client: { name: 'bench', version: '1' } }));
  await answer('"op":"hello"');
  for (const [i, channel] of channelNames.entries()) {
    const images = channel === 'images' ? { images: 'full' } : {};
    socket.write(textFrame({ op: 'subscribe', id: i + 1, run, channel, from: 'latest', ...images }));
    await answer('"op":"subscribed"');
  }
  text = undefined;
  // Who says nothing for a minute is taken for gone.
  setInterval(() => socket.write(textFrame({ op: 'ping' })), 20_000);
  socket.on('error', () => undefined); // 'close' follows
  socket.on('close', () => {
    throw new Error('The server has closed a connection.');
  });
}

/** Nothing has come for so long: what there was is here. */
const restMs = 60;

async function rest(): Promise<void> {
  for (let before = -1; before !== bytes; ) {
    before = bytes;
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

process.on('message', async ({ url, run = '' }: { readonly url?: string; readonly run?: string }) => {
  if (url === undefined) await rest();
  else {
    for (let i = 0; i < count; i++) await come(url, run);
    bytes = 0;
  }
  process.send?.({ bytes });
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
