/**
 * Pre-trains from the command line: `tsx --conditions=@gvu/source src/pretrain/run.ts FOLDER [--recipe JSON] [--threads N]`.
 * The recipe's keys replace those of the shipped one. Ctrl-C writes a checkpoint and ends; the same command goes on from it.
 */
import { parseArgs } from 'node:util';
import { Runtime } from '@gvu/onnx';
import { pretrain, shippedRecipe } from './pretrain.ts';
import { reportText } from './report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { recipe: { type: 'string', default: '{}' }, threads: { type: 'string', default: '1' } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('Name the folder to write to.');
const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('Stopped; the same command goes on from here.')));

await using runtime = await Runtime.create({ threads: Number(values.threads), cacheLimit: 16 });
const report = await pretrain(
  runtime,
  { ...shippedRecipe, ...JSON.parse(values.recipe) },
  {
    folder,
    signal: stop.signal,
    onProgress({ stage, step, steps, metrics, stepsPerSecond, secondsLeft }) {
      const shown = Object.entries(metrics).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
      const pace = `${stepsPerSecond.toFixed(2)} steps/s, ${(secondsLeft / 60).toFixed(1)} min left`;
      process.stdout.write(`${stage} ${step}/${steps}  ${shown.join('  ')}  ${pace}\n`);
    },
  },
);
process.stdout.write(`${reportText(report)}\n`);
