/**
 * Many clients in one process of their own, which only look at when events arrive. Arguments: URL, run, number of clients, kind: `follow`
 * (all channels, from now on), `stall` (the same, but never reads), `idle` (connects and says hello), `replay` (the log from its beginning,
 * up to so many events). Tells its parent `ready`, and when asked the delays in milliseconds.
 */
import { WebSocket } from 'ws';
import { clock } from './synthetic.ts';

const [url = '', run = '', count = '1', kind = 'follow', wanted = '0'] = process.argv.slice(2);
const channels = ['metrics', 'rollouts', 'images', 'evaluations', 'lifecycle', 'log'];
const delays: number[] = [];
/** By how much timers of 10 ms were late here: what the machine adds to any delay. */
const lags: number[] = [];
let dropped = 0;

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(url, 'gvu.v1');
  const next = (op: string) =>
    new Promise<void>((resolve) => {
      const listen = (data: Buffer): void => {
        if (!data.subarray(0, 40).includes(`"op":"${op}"`)) return;
        socket.off('message', listen);
        resolve();
      };
      socket.on('message', listen);
    });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ op: 'hello', client: { name: 'bench', version: '1' } }));
  await next('hello');
  if (kind === 'idle' || kind === 'replay') return socket;
  for (const [i, channel] of channels.entries()) {
    socket.send(JSON.stringify({ op: 'subscribe', id: i + 1, run, channel, from: 'latest' }));
    await next('subscribed');
  }
  if (kind === 'stall') socket.pause();
  else socket.on('message', measure);
  return socket;
}

function measure(data: Buffer): void {
  const now = clock();
  const text = data.toString('latin1');
  if (text.startsWith('{"op":"dropped"')) dropped++;
  for (const [, at] of text.matchAll(/"at":([\d.]+)/g)) delays.push(now - Number(at));
}

async function replay(socket: WebSocket): Promise<void> {
  const begin = performance.now();
  let events = 0;
  await new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const message: { readonly op: string; readonly events?: readonly unknown[] } = JSON.parse(data.toString());
      events += message.events?.length ?? 0;
      if (events >= Number(wanted)) resolve();
    });
    socket.send(JSON.stringify({ op: 'subscribe', id: 1, run, channel: 'log', from: 'earliest' }));
  });
  process.send?.({ events, seconds: (performance.now() - begin) / 1000 });
}

const sockets: WebSocket[] = [];
for (let i = 0; i < Number(count); i++) sockets.push(await connect());
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  lags.push(now - last - 10);
  last = now;
}, 10);
process.send?.('ready');
process.on('message', () => {
  const [socket] = sockets;
  if (kind === 'replay' && socket) void replay(socket);
  else process.send?.({ delays, lags, dropped });
});
process.on('disconnect', () => process.exit());
