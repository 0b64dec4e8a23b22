/** `gvu doctor`: whether everything that GvU needs is there, and what a model would take. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../doctor/memory-size.ts';
import { paint, print, printJson, screenOf } from '../terminal/terminal.ts';
import { collect, examples, wholeNumber } from './shared-options.ts';

interface DoctorOptions {
  readonly json?: true;
  readonly model?: string;
  readonly backend?: string;
  readonly plugin?: readonly string[];
  readonly device: 'cpu' | 'cuda';
  readonly dtype?: string;
  readonly imageSize?: number;
  readonly groupSize: number;
  readonly microBatch?: number;
  readonly rank: number;
  readonly promptLength: number;
  readonly memory?: number;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('whether everything that GvU needs is there, and what a model would take')
    .description(
      'Checks Node, the engine, its devices, memory, disk and plugins, and computes a small gradient.\n' +
        'With --model it counts instead what training a model would take of memory, by the phases of a step. config.json is enough\n' +
        'for that: neither weights nor the device need be there.',
    )
    .option('--json', 'a JSON object')
    .option('--model <directory>', 'a checkpoint, or its config.json alone')
    .option('--backend <id>', 'with --model: the backend (default: by model_type)')
    .option('--plugin <name-or-path>', 'with --model: a plugin to load besides those of GvU; may be repeated', collect)
    .addOption(
      new Option('--device <device>', 'with --model: where it is to run').choices(['cpu', 'cuda']).default('cpu'),
    )
    .option('--dtype <dtype>', "with --model: what the language model computes in (default: the backend's)")
    .option('--image-size <pixels>', "with --model: side of a drawing (default: the backend's)", wholeNumber(1))
    .option('--group-size <n>', 'with --model: drawings of each prompt', wholeNumber(2), 8)
    .option('--micro-batch <n>', 'with --model: drawings learned from at a time', wholeNumber(1))
    .option('--rank <n>', 'with --model: of the adapter', wholeNumber(1), 16)
    .option('--prompt-length <tokens>', 'with --model: of the longest prompt', wholeNumber(1), 64)
    .option(
      '--memory <size>',
      'with --model: what there is, such as 24GB (default: of this machine, for cpu)',
      memorySize,
    )
    .addHelpText(
      'after',
      examples([
        ['gvu doctor', 'what to attach to a report of a mistake'],
        ['gvu doctor --json', 'the same for programs; exit code 1 when something is missing'],
        ['gvu doctor --model Janus-Pro-1B --device cuda --dtype float16 --memory 24GB', 'what training it would take'],
      ]),
    )
    .action(async (options: DoctorOptions) => {
      if (options.model === undefined) await showMachine(options);
      else await showModel(options.model, options);
    });
}

async function showMachine({ json }: DoctorOptions): Promise<void> {
  const { examine } = await import('../doctor/examine.ts');
  const findings = await examine();
  const ok = findings.every(({ state }) => state !== 'failed');
  if (json) printJson({ ok, findings });
  else {
    const { textTable } = await import('../terminal/table.ts');
    const screen = screenOf(process.stdout);
    print(
      textTable(
        findings.map(({ name, state, text }) => [state, name, text]),
        screen,
      ),
    );
    print(
      ok ? '\nEverything that is needed is there.' : paint('\nSomething that is needed is missing.', 'red', screen),
    );
  }
  if (!ok) process.exitCode = 1;
}

async function showModel(model: string, options: DoctorOptions): Promise<void> {
  const { openHost } = await import('../host.ts');
  const { modelMemory } = await import('../doctor/model-memory.ts');
  const { fitOf, memoryText } = await import('../doctor/memory-text.ts');
  const { totalMemory } = await import('../doctor/examine.ts');
  const { device, groupSize, json } = options;
  await using host = await openHost(options.plugin);
  const memory = await modelMemory(host, { ...options, model, target: device });
  const memoryBytes = options.memory ?? (device === 'cpu' ? totalMemory() : undefined);
  if (json) {
    const fits = memory.totals.map(({ microBatch, bytes }) => ({
      microBatch,
      bytes,
      ...(memoryBytes !== undefined && { fit: fitOf(bytes, memoryBytes) }),
    }));
    printJson({ ...memory, totals: fits, memoryBytes: memoryBytes ?? null });
  } else print(memoryText(memory, { ...screenOf(process.stdout), memoryBytes, groupSize }));
}

function memorySize(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new InvalidArgumentError('It must be an amount such as 24GB or 800MiB.');
}
