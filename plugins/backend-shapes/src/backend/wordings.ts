/**
 * What single words of a prompt are worth to a reader: the prompts of swap probes, whole, without their words of one kind, and with these
 * exchanged for words that are false of the scene.
 *
 * Only the words go, and what would be left hanging of them: the article is mended, and a place goes with its "on the". Of places, those
 * of halves of the image are taken ("on the left"); a relation ("left of") has two objects, and nothing is left without it.
 */
import { randomStream } from '@gvu/core';
import type { Wording, Wordings } from '@gvu/evals';
import { createCatalogue, createProbes, renderScene, type SwapKind, swapKinds, type World } from '../world/index.ts';
import { regions } from '../world/relations.ts';
import { numberWord } from '../world/wording.ts';
import { maxObjects } from '../world/world.ts';
import { fromPlanes } from './planes.ts';

/** How the kinds of swaps are called here: of places, only those that are regions are left. */
const kindNames = { count: 'count', color: 'color', position: 'region' } as const;

export function shapesWordings(world: World): Wordings {
  const catalogue = createCatalogue(world);
  return {
    name: 'shapes',
    version: `1 ${world.shapes.join(' ')}, ${world.colors.join(' ')}`,
    list({ seed, tests }) {
      const probes = createProbes(world, catalogue, { seed, split: 'held-out' });
      const noise = randomStream(seed, 'shapes/wordings/render');
      const wordingOf = (kind: SwapKind, index: number): Wording | undefined => {
        const { scene, right, wrong } = probes.swap(kind, index);
        const removed = withoutWords(world, kind, right);
        if (removed === right) return undefined;
        const pixels = fromPlanes(renderScene(world, scene, noise.at(swapKinds.indexOf(kind), index)));
        return { kind: kindNames[kind], pixels, full: right, removed, replaced: wrong };
      };
      return swapKinds.flatMap((kind) => {
        const found: Wording[] = [];
        for (let index = 0; found.length < tests; index++) {
          const wording = wordingOf(kind, index);
          if (wording) found.push(wording);
        }
        return found;
      });
    },
  };
}

/** A prompt without its words of a kind; the same prompt when it has none that can go. */
export function withoutWords({ colors }: Pick<World, 'colors'>, kind: SwapKind, prompt: string): string {
  const numbers = Array.from({ length: maxObjects }, (_, i) => numberWord(i + 1));
  const patterns: Record<SwapKind, RegExp> = {
    count: words(numbers),
    color: words(colors),
    position: new RegExp(`\\bon the (?:${regions.join('|')})\\s*`, 'g'),
  };
  return prompt
    .replace(patterns[kind], '')
    .replace(/\s+(?=,|$)/g, '')
    .replace(/\ban(?= [^aeiou])/g, 'a')
    .replace(/\ba(?= [aeiou])/g, 'an');
}

function words(list: readonly string[]): RegExp {
  return new RegExp(`\\b(?:${list.join('|')})\\b\\s*`, 'g');
}
