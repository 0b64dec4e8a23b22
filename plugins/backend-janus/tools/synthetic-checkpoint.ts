/**
 * Writes a Janus-Pro checkpoint with random weights: `npx tsx --conditions=@gvu/source
 * plugins/backend-janus/tools/synthetic-checkpoint.ts DIRECTORY [1b|7b]`. 1b takes 4 GB of disk.
 */
import { releases, writeSyntheticCheckpoint } from './synthetic.ts';

const [, , folder, size = '1b'] = process.argv;
if (folder === undefined || (size !== '1b' && size !== '7b')) {
  process.stderr.write('usage: synthetic-checkpoint.ts DIRECTORY [1b|7b]\n');
  process.exitCode = 2;
} else {
  const count = await writeSyntheticCheckpoint(folder, {
    config: releases[size],
    seed: 1,
    firstControlId: 100_000,
    shardBytes: 2 ** 29,
    onShard: (name, bytes) => process.stdout.write(`${name}: ${(bytes / 1e6).toFixed(0)} MB\n`),
  });
  process.stdout.write(`${(count / 1e9).toFixed(3)} billion weights in ${folder}\n`);
}
