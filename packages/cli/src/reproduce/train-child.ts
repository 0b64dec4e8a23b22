/**
 * One run of a reproduction in a process of its own, so that several can work at once: it is told what to train, tells how far it is, and
 * ends when it is done, when it is asked to stop, or when whoever started it is gone. Started by `workers.ts` only.
 */
import { writeReport } from '@gvu/evals';
import { Runtime } from '@gvu/onnx';
import { train } from '@gvu/rl';
import { runtimeOptions } from '../commands/shared-options.ts';
import { createParts, resolveOptions } from '../config/resolve-parts.ts';
import { openHost } from '../host.ts';
import { exitCodes, failureText } from '../terminal/failure.ts';
import { screenOf } from '../terminal/terminal.ts';
import type { ChildMessage, ChildTask } from './workers.ts';

const controller = new AbortController();
// A Ctrl-C in the terminal reaches every process of it: this one ends after its step, and only by what its parent says.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => controller.abort());
process.on('disconnect', () => controller.abort());

process.once('message', (task) => {
  work(task as ChildTask).then(
    (message) => end(message, exitCodes.done),
    (error: unknown) =>
      end({ failed: failureText(error, { verbose: false, screen: screenOf(process.stderr) }) }, exitCodes.failed),
  );
});

async function work({ config: given, folder, engine }: ChildTask): Promise<ChildMessage> {
  await using host = await openHost(given.plugins);
  const config = resolveOptions(host, given);
  await using runtime = await Runtime.create(runtimeOptions(engine));
  const parts = await createParts(host, config, runtime);
  await using _backend = parts.backend;
  const { reason, message, step } = await train(parts, {
    config,
    folder,
    signal: controller.signal,
    onProgress: (progress) => tell({ progress }),
  });
  if (reason !== 'stopped') await writeReport(folder);
  return { ended: { reason, message, step } };
}

function tell(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

function end(message: ChildMessage, code: number): void {
  if (!process.connected) process.exit(code);
  process.send?.(message, () => process.exit(code));
}
