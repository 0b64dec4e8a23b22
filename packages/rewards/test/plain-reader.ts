/**
 * The simplest thing that fulfils the contract of a reader: a text has one token a word, whose probability is a fixed function of the
 * word, of its place, and of what is shown. It records what it was asked.
 */
import { createHash } from 'node:crypto';
import type { ReadRequest, Representation, ShownImage } from '@gvu/models';
import type { Reader } from '../src/reader.ts';
import type { TeacherKind } from '../src/reward.ts';

export interface PlainReader extends Reader {
  /** One entry for each call of `read`. */
  readonly calls: (readonly ReadRequest[])[];
  /** What `version` says from now on. */
  setVersion(version: string): void;
}

export interface PlainReaderOptions {
  readonly kind?: TeacherKind;
  readonly representations?: readonly Representation[];
  /** Instead of the fixed function. */
  readonly logProb?: (word: string, image: ShownImage) => number;
}

export function plainReader(options: PlainReaderOptions = {}): PlainReader {
  const { kind = 'frozen', representations = ['emitted-tokens', 'retokenised-pixels'] } = options;
  const calls: (readonly ReadRequest[])[] = [];
  let version = 'base';
  return {
    kind,
    representations,
    calls,
    version: () => version,
    setVersion(next) {
      version = next;
    },
    async read(requests, { signal }) {
      signal.throwIfAborted();
      calls.push(requests);
      return requests.map(({ image, instruction = '', text }) => {
        const tokens = text.split(' ').filter((word) => word !== '');
        const logProbs = tokens.map(
          (word, i) => options.logProb?.(word, image) ?? Math.log(probability([look(image), instruction, i, word])),
        );
        return { tokens, logProbs };
      });
    },
  };
}

function look(image: ShownImage): string {
  if ('tokens' in image) return `tokens ${image.tokens.join()}`;
  return 'pixels' in image ? `pixels ${image.pixels.data.join()}` : 'nothing';
}

/** In (0, 1]. */
function probability(facts: readonly unknown[]): number {
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest();
  return (digest.readUInt32LE(0) + 1) / 2 ** 32;
}
