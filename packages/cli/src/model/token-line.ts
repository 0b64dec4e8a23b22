/**
 * A prompt with what each of its tokens contributed to the reward: the token on a ground whose shade is its probability, and the
 * probability below it. Without colours the numbers say the same.
 */
import type { PromptTrace } from '@gvu/models';
import type { Screen } from '../terminal/terminal.ts';

/** Pairs of lines, broken to the width of the screen. */
export function tokenLine({ tokens, logProbs }: PromptTrace, screen: Screen): string {
  const cells = tokens.map((token, i) => {
    const probability = Math.exp(logProbs[i] ?? Number.NaN);
    // What a token has of spaces and line ends should not break the columns.
    const text = token.replace(/[\s\p{Cc}]/gu, ' ');
    const number = probability.toFixed(3);
    return { text, number, probability, width: Math.max(text.length, number.length) };
  });
  const lines: (typeof cells)[] = [];
  let used = 0;
  for (const cell of cells) {
    const line = lines.at(-1);
    if (line === undefined || used + cell.width + 1 > screen.width) {
      lines.push([cell]);
      used = cell.width;
    } else {
      line.push(cell);
      used += cell.width + 1;
    }
  }
  return lines
    .map((line) => {
      const words = line.map(({ text, width, probability }) => shade(text.padEnd(width), probability, screen));
      const numbers = line.map(({ number, width }) => number.padEnd(width));
      return `${words.join(' ').trimEnd()}\n${numbers.join(' ').trimEnd()}`;
    })
    .join('\n\n');
}

/** From red (0) over yellow (one half) to green (1), dark enough for the light text on it. */
function shade(text: string, probability: number, { color }: Screen): string {
  if (!color) return text;
  const p = Math.min(1, Math.max(0, probability || 0));
  const red = Math.round(150 * Math.min(1, 2 * (1 - p)));
  const green = Math.round(120 * Math.min(1, 2 * p));
  return `\u001b[48;2;${red};${green};30m\u001b[97m${text}\u001b[0m`;
}
