/** The benchmark of gradient checkpointing on a small decoder: what it saves is real, and changes no bit of the gradients. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const bench = join(import.meta.dirname, '../../../bench/engine/checkpointing.ts');

test('a decoder needs less than half of the memory, for the same gradients', async () => {
  const sizes = { layers: 8, width: 128, feedForward: 352, vocabulary: 64, batch: 4, length: 256, runs: 1, rounds: 1 };
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--conditions=@gvu/source',
    bench,
    JSON.stringify(sizes),
  ]);
  const report: { memoryRatio: number; equal: boolean } = JSON.parse(stdout);
  expect(report.equal).toBe(true);
  expect(report.memoryRatio).toBeLessThan(0.5);
});
