/**
 * Progress for people: on a terminal one line that is rewritten in place, elsewhere (a pipe, a log file) a line now and then, so that
 * the file stays readable. Writes to stderr.
 */
import { note, type Screen } from './terminal.ts';

/** Between two lines where lines cannot be rewritten. */
const plainIntervalMs = 10_000;

export class StatusLine implements Disposable {
  readonly #screen: Screen;
  /** What is on the line now. */
  #line = '';
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** The state now. `important` lines are never left out. */
  show(text: string, { important = false }: { readonly important?: boolean } = {}): void {
    if (this.#screen.live) {
      // A line that wrapped could not be taken back.
      const line = text.length < this.#screen.width ? text : `${text.slice(0, this.#screen.width - 2)}…`;
      process.stderr.write(`\r\u001b[2K${line}`);
      this.#line = line;
      return;
    }
    const nowMs = performance.now();
    if (!important && nowMs - this.#lastPlainMs < plainIntervalMs) return;
    this.#lastPlainMs = nowMs;
    note(text);
  }

  /** A line that stays, above the state. */
  above(text: string): void {
    this.clear();
    note(text);
  }

  /** Takes the state away. */
  clear(): void {
    if (this.#line !== '') process.stderr.write('\r\u001b[2K');
    this.#line = '';
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
