/** Options that several commands have, and how their values are read. */
import { InvalidArgumentError, Option } from 'commander';

/** A whole number from `least`, up to `greatest` if given; commander shows what is wrong with others. */
export function wholeNumber(least: number, greatest = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least && value <= greatest) return value;
    const upTo = greatest < Number.MAX_SAFE_INTEGER ? ` to ${greatest}` : '';
    throw new InvalidArgumentError(`It must be a whole number from ${least}${upTo}.`);
  };
}

/** For options that may be repeated. */
export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

const devices = ['cpu', 'cuda', 'webgpu'] as const;

/** Where tensors are computed. */
export interface EngineOptions {
  readonly device: (typeof devices)[number];
  readonly threads?: number;
}

export const engineOptions = (): readonly Option[] => [
  new Option('--device <device>', 'where tensors are computed').choices(devices).default('cpu'),
  new Option('--threads <n>', 'threads of the CPU (default: one per physical core)').argParser(wholeNumber(1)),
];

/** What `Runtime.create` takes. */
export function runtimeOptions({ device, threads }: EngineOptions) {
  return { device, ...(threads !== undefined && { threads }), cacheLimit: 32 };
}

/** Examples below the help of a command. */
export function examples(lines: readonly (readonly [command: string, what: string])[]): string {
  return `\nExamples:\n${lines.map(([command, what]) => `  # ${what}\n  $ ${command}`).join('\n')}\n`;
}
