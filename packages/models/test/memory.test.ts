/** The benchmark of memory on a smaller decoder: weights in a file are used in place, and a second session over them is cheap. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const bench = join(import.meta.dirname, '../../../bench/engine/memory.ts');

interface Memory {
  anon: number;
  rss: number;
}
interface Report {
  weightsMb: number;
  secondSessionRatio: number;
  lora: { started: Memory; stepped: Memory; losses: number[] };
  loraPlain: { losses: number[] };
}

test.runIf(process.platform === 'linux')(
  'training copies no weights out of their file',
  async () => {
    const sizes = { layers: 2, width: 1024, vocabulary: 4096, batch: 1, length: 16, rank: 4, steps: 1 };
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      '--conditions=@gvu/source',
      bench,
      JSON.stringify(sizes),
    ]);
    const { weightsMb, secondSessionRatio, lora, loraPlain }: Report = JSON.parse(stdout);
    expect(weightsMb).toBeGreaterThan(130);
    // All weights were used, but the memory of the process's own grew by less than a copy of half of them.
    expect(lora.stepped.rss - lora.started.rss).toBeGreaterThan(weightsMb);
    expect(lora.stepped.anon - lora.started.anon).toBeLessThan(weightsMb / 2);
    expect(secondSessionRatio).toBeLessThan(0.15);
    expect(lora.losses.every(Number.isFinite)).toBe(true);
    // Blocks that are computed again change nothing.
    expect(lora.losses).toEqual(loraPlain.losses);
  },
  120_000,
);
