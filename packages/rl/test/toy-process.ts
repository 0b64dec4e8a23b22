/** A run of the toy backend as a process of its own, to be killed: `toy-process.ts FOLDER`. Says each step as it is logged. */
import { Runtime } from '@gvu/onnx';
import { train } from '../src/index.ts';
import { toyConfig, toyParts } from './toy-run.ts';

const [folder = ''] = process.argv.slice(2);
await using runtime = await Runtime.create({ threads: 1 });
await train(toyParts(runtime), {
  config: toyConfig({ steps: 40, checkpoint: { every: 3 } }),
  folder,
  onProgress: ({ phase, step }) => process.stdout.write(`${phase} ${step}\n`),
});
