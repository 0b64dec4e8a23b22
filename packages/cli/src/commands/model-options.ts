/** The options of the commands that use a model without training it. */
import { Option } from 'commander';
import { collect, engineOptions } from './shared-options.ts';

export const modelOptions = (): readonly Option[] => [
  new Option('--adapter <directory>', 'an adapter to use: of PEFT, of a checkpoint, or a run with checkpoints'),
  new Option('--backend <id>', 'the model (default: shapes, or that of the run)'),
  new Option('--model <name-or-directory>', 'its weights'),
  new Option('--plugin <name-or-path>', 'a plugin to load besides those of GvU; may be repeated').argParser(collect),
  ...engineOptions(),
];
