/**
 * Does GvU teach the model to draw? The runs behind docs/results/train.md: GvU, an image-level scorer, a random reward and the oracle from the
 * weak base, and GvU from the regular one, several seeds each, every run by `gvu train --preset gvu` as a user would start it.
 *
 *   npm run bench:train                          all of them, one after the other, two threads each
 *   npm run bench:train -- --parallel 2          two at a time, one thread each: sooner done, but then no run's time means anything
 *   npm run bench:train -- --only gvu,random     some of them; --seeds 1 the first seed of each
 *
 *   npm run bench:train -- --page-only           only the page, of the runs that are there
 *
 * Runs that are finished are not repeated, interrupted ones go on. The page is written anew from what is there.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchRun, page } from './page.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'runs/bench-train' },
    parallel: { type: 'string', default: '1' },
    threads: { type: 'string' },
    only: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    'page-only': { type: 'boolean', default: false },
    page: { type: 'string', default: 'docs/results/train.md' },
  },
});

/** The most important ones first, so that an interrupted bench has told most. */
const kinds = [
  { kind: 'gvu', title: 'GvU', reward: 'gvu', model: 'weak', seeds: [1, 2, 3] },
  { kind: 'random', title: 'random (control)', reward: 'random', model: 'weak', seeds: [1, 2, 3] },
  { kind: 'bag', title: 'bag of words (image-level scorer)', reward: 'bag-of-words', model: 'weak', seeds: [1, 2, 3] },
  { kind: 'regular', title: 'GvU, regular base', reward: 'gvu', model: 'regular', seeds: [1, 2, 3] },
  { kind: 'oracle', title: 'detector (oracle)', reward: 'detector', model: 'weak', seeds: [1] },
] as const;

const only = values.only?.split(',');
const wanted = values.seeds.split(',').map(Number);
const runs: BenchRun[] = kinds
  .filter(({ kind }) => !only || only.includes(kind))
  .flatMap(({ kind, title, reward, model, seeds }) =>
    seeds
      .filter((seed) => wanted.includes(seed))
      .map((seed) => ({ kind, title, reward, model, seed, folder: join(values.out, `${kind}-${seed}`) })),
  );

await mkdir(values.out, { recursive: true });
const waiting = [...runs];
const worker = async () => {
  for (let run = waiting.shift(); run; run = waiting.shift()) await train(run);
};
if (!values['page-only']) await Promise.all(Array.from({ length: Number(values.parallel) }, worker));
await mkdir(join(values.page, '..'), { recursive: true });
await writeFile(values.page, await page(runs, { parallel: Number(values.parallel) }));
process.stdout.write(`${values.page}\n`);

/** Runs `gvu train`; what it says is shown with the name of the run before it. */
async function train({ kind, seed, reward, model, folder }: BenchRun): Promise<void> {
  const threads = values.threads ?? (values.parallel === '1' ? undefined : '1');
  const options = existsSync(join(folder, 'config.json'))
    ? ['--resume', folder]
    : ['--preset', 'gvu', '--reward', reward, '--model', model, '--seed', String(seed), '--out', folder];
  const program = ['--conditions=@gvu/source', '--import', 'tsx', 'packages/cli/src/main.ts', 'train', ...options];
  const child = spawn(process.execPath, [...program, ...(threads ? ['--threads', threads] : [])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.setEncoding('utf8');
  for await (const text of child.stderr)
    for (const line of String(text).split('\n')) if (line.trim()) process.stderr.write(`${kind}-${seed}  ${line}\n`);
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('close', resolve)));
  // A guard may end a control run; that is a result.
  if (code !== 0 && code !== 3) throw new Error(`${kind}-${seed} ended with exit code ${code}.`);
}
