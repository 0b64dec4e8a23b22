/**
 * Pre-trains from the command line: `tsx --conditions=@gvu/source src/pretrain/run.ts FOLDER [--recipe JSON] [--threads N]`.
 * The recipe's keys replace those of the default one. Ctrl-C writes a checkpoint and ends; the same command goes on from it.
 */
import { parseArgs } from 'node:util';
import { Runtime } from '@gvu/onnx';
import { defaultRecipe, pretrain } from './pretrain.ts';
import { reportText } from './report.ts';
import type { StageProgress } from './train-stage.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { recipe: { type: 'string', default: '{}' }, threads: { type: 'string', default: '1' } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('Name the folder to write to.');
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

await using runtime = await Runtime.create({ threads: Number(values.threads), cacheLimit: 16 });
try {
  const recipe = { ...defaultRecipe, ...JSON.parse(values.recipe) };
  const { report } = await pretrain(runtime, recipe, { folder, signal: stop.signal, onProgress: printProgress });
  process.stdout.write(`${reportText(report)}\n`);
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.stderr.write('Stopped; the same command goes on from here.\n');
  process.exitCode = 130;
}

function printProgress({ stage, step, steps, metrics, stepsPerSecond, secondsLeft }: StageProgress): void {
  const shown = Object.entries(metrics).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  const pace = `${stepsPerSecond.toFixed(2)} steps/s, ${(secondsLeft / 60).toFixed(1)} min left`;
  process.stdout.write(`${stage} ${step}/${steps}  ${shown.join('  ')}  ${pace}\n`);
}
