/**
 * An image-level scorer that is blind to the order of words, for comparison: the share of a prompt's content words that are
 * true of the image somewhere.
 *
 * It stands for scorers that compare one vector of an image with one of a text, which are known to treat both as bags. No such
 * model is trained here: its bag is made of what the detector finds, so it sees perfectly what it sees at all.
 * It sees: which shapes there are, which colours there are, and which numbers of equal shapes ("two": there are two of some shape).
 * It does not see: which colour or number belongs to which shape, where anything is, or how large; nor what is there beyond
 * the words of the prompt.
 */
import { setImmediate } from 'node:timers/promises';
import type { JsonValue } from '@gvu/core';
import { type Reward, rolloutInput } from '@gvu/rewards';
import { type Detection, detectObjects, type World } from '../world/index.ts';
import { numberWord, plural } from '../world/wording.ts';
import { maxObjects } from '../world/world.ts';
import { toPlanes } from './planes.ts';

/** Prompts without content words cannot be judged. `score` rejects with GVU_MODEL_IMAGE, GVU_REWARD_INPUT. */
export function bagOfWordsReward(world: World): Reward {
  const name = 'bag-of-words';
  const contentWords = contentWordsOf(world);
  return {
    name,
    version: `1 ${world.shapes.join(' ')}, ${world.colors.join(' ')}`,
    inputs: ['pixels'],
    range: [0, 1],
    deterministic: true,
    async score(rollouts, { signal }) {
      const values: number[] = [];
      const trace: JsonValue[] = [];
      for (const [row, rollout] of rollouts.entries()) {
        // Between two images others get their turn, and an abort is heard.
        await setImmediate(undefined, { signal });
        const words = rollout.prompt.toLowerCase().match(/[a-z]+/g) ?? [];
        const asked = new Set(words.flatMap((word) => contentWords.get(word) ?? []));
        const seen = bagOf(detectObjects(world, toPlanes(rolloutInput(rollout, 'pixels', { reward: name, row }))));
        const missing = [...asked].filter((word) => !seen.has(word));
        values.push(asked.size === 0 ? Number.NaN : 1 - missing.length / asked.size);
        trace.push({ missing });
      }
      return { values, trace };
    },
  };
}

/** Words of prompts that are of content, each with its form in bags: shapes in the singular. */
function contentWordsOf({ shapes, colors }: World): ReadonlyMap<string, string> {
  const numbers = Array.from({ length: maxObjects }, (_, i) => numberWord(i + 1));
  return new Map([
    ...[...shapes, ...colors, ...numbers].map((word): [string, string] => [word, word]),
    ...shapes.map((shape): [string, string] => [plural(shape), shape]),
  ]);
}

function bagOf(detections: readonly Detection[]): ReadonlySet<string> {
  const shapes = new Set(detections.map((detection) => detection.class));
  const countOf = (shape: string) => detections.filter((detection) => detection.class === shape).length;
  return new Set([
    ...shapes,
    ...detections.map(({ color }) => color),
    ...[...shapes].map((shape) => numberWord(countOf(shape))),
  ]);
}
