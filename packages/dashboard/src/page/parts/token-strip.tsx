/**
 * A prompt with each token shaded by its log-probability: what the model, shown the picture, expected is plain, and the less it expected a
 * token the stronger its shade. The probability stands below each token, so that nothing is told by colour alone.
 */
import { percent } from './format.ts';

export interface TokenTrace {
  readonly tokens: readonly string[];
  readonly logProbs: readonly (number | null)[];
}

/** In nats; at this and below, the shade is the strongest. */
const strongestAt = -5;

/** From 0 (certain) to 1. */
export function shadeOf(logProb: number | null): number {
  return logProb === null ? 0 : Math.min(1, Math.max(0, logProb / strongestAt));
}

/** Tokenizers write the space before a word in ways of their own. */
const plain = (token: string): string => token.replace(/^[▁Ġ]/, '').replaceAll('Ċ', '↵') || '␣';

export function TokenStrip({ tokens, logProbs }: TokenTrace) {
  return (
    <ol class="tokens" aria-label="Tokens of the prompt with their probabilities">
      {tokens.map((token, i) => {
        const logProb = logProbs[i] ?? null;
        const text = logProb === null ? '–' : percent(Math.exp(logProb));
        return (
          <li
            key={i}
            style={{ '--shade': shadeOf(logProb) }}
            title={`log-probability ${logProb === null ? '–' : logProb.toFixed(3)}`}
          >
            <span>{plain(token)}</span>
            <small>{text}</small>
          </li>
        );
      })}
    </ol>
  );
}

/** What the shades mean. */
export function TokenLegend() {
  return (
    <p class="token-legend quiet">
      <span>expected</span>
      <span class="ramp" aria-hidden="true" />
      <span>surprising, below {percent(Math.exp(strongestAt))}</span>
    </p>
  );
}
