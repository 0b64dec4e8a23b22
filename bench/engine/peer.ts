/** The PyTorch contender: `bench/peers/torch_peer.py --serve`, asked line by line so that rounds can be interleaved. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = join(import.meta.dirname, '../peers');
const python = join(folder, '.venv/bin/python');

export const peerInstalled = existsSync(python);

export interface Peer extends Disposable {
  /** Sends one request and waits for its answer. */
  ask(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}

export function startPeer(caseFile: string): Peer {
  const child = spawn(python, [join(folder, 'torch_peer.py'), caseFile, '--serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('the PyTorch peer ended');
      return JSON.parse(value);
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}
