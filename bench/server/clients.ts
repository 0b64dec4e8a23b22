/**
 * Many clients in one process of their own, which only look at when events arrive. Arguments: URL, run, number of clients, kind: `follow`
 * (all channels, from now on), `stall` (asks for the whole log as well, then reads nothing), `idle` (says hello), `replay` (the log from
 * its beginning, up to so many events). Tells its parent `ready`, forgets what happened when it gets `begin`, and tells what happened since
 * when it gets `tell`.
 */
import { WebSocket } from 'ws';
import { clock, quantile } from './synthetic.ts';

const [url = '', run = '', count = '1', kind = 'follow', wanted = '0'] = process.argv.slice(2);
const channels = ['metrics', 'rollouts', 'images', 'evaluations', 'lifecycle', 'log', 'server'];
let delays: number[] = [];
/** By how much timers of 10 ms were late here: what the machine adds to any delay. */
let lags: number[] = [];
let dropped = 0;

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(url, 'gvu.v1');
  socket.on('error', () => undefined); // the server may be gone
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
  if (kind !== 'stall') socket.on('message', measure);
  else {
    // The past fills all buffers on the way at once.
    socket.send(JSON.stringify({ op: 'subscribe', id: 99, run, channel: 'log', from: 'earliest' }));
    socket.pause();
  }
  return socket;
}

const key = Buffer.from('"at":');

/** Looks for the times only: parsing would be work of the clients, not of the server. */
function measure(data: Buffer): void {
  const now = clock();
  if (data.subarray(0, 15).toString('latin1') === '{"op":"dropped"') dropped++;
  for (let at = data.indexOf(key); at >= 0; at = data.indexOf(key, at + 5)) {
    delays.push(now - Number.parseFloat(data.toString('latin1', at + 5, at + 25)));
  }
}

function tell(): void {
  process.send?.({
    ...{ deliveries: delays.length, dropped, p50: quantile(delays, 0.5), p99: quantile(delays, 0.99) },
    lagP99: quantile(lags, 0.99),
  });
}

function forget(): void {
  delays = [];
  lags = [];
  dropped = 0;
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
process.on('message', (message) => {
  const [socket] = sockets;
  if (kind === 'replay' && socket) void replay(socket);
  else if (message === 'begin') forget();
  else tell();
});
process.on('disconnect', () => process.exit());
