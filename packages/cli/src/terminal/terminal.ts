/**
 * What the program may do with the streams it writes to: colours, lines that are rewritten, how wide they are. Results go to stdout and
 * everything else to stderr, and each stream is judged for itself, because often only one of them is a terminal.
 */
import type { WriteStream } from 'node:tty';

export interface Screen {
  /** In characters. */
  readonly width: number;
  readonly color: boolean;
  /** Whether a person is looking: a terminal that can rewrite its last line. */
  readonly live: boolean;
}

type Stream = Pick<WriteStream, 'isTTY' | 'columns'>;

/** `NO_COLOR` (no-color.org) and `FORCE_COLOR` decide about colours; otherwise a terminal has them. */
export function screenOf(stream: Stream, env: Readonly<NodeJS.ProcessEnv> = process.env): Screen {
  const live = stream.isTTY === true && env.TERM !== 'dumb';
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0';
  const forbidden = env.NO_COLOR !== undefined && env.NO_COLOR !== '';
  // A stream of unknown width is piped or a log file, where lines need not be short.
  return { width: Math.max(20, stream.columns || 120), color: !forbidden && (forced || live), live };
}

/** Results. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One JSON value a line, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Progress, warnings, remarks. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39] } as const;

/** The text in a style, or as it is where there are no colours. */
export function paint(text: string, style: keyof typeof codes, { color }: Pick<Screen, 'color'>): string {
  const [on, off] = codes[style];
  return color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}
