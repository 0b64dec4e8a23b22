/**
 * How well a backend reads images of shapes: the right prompt among eight, words exchanged, questions. It goes through the backend's
 * reading alone, so that it examines any state of any backend that takes such images.
 */
import type { Pixels } from '@gvu/models';
import type { Exam, ExamScore } from '@gvu/rl';
import { readingScores, type TextReader } from '../pretrain/evaluate-reading.ts';
import { createCatalogue, type World } from '../world/index.ts';
import { fromPlanes } from './planes.ts';

/** Asks about held-out prompts. Kinds: `retrieval`, `swap/…` and `question/…`. */
export function shapesExam(world: World): Exam {
  const catalogue = createCatalogue(world);
  return {
    name: 'shapes',
    version: `1 ${world.shapes.join(' ')}, ${world.colors.join(' ')}`,
    async take(backend, { adapter, seed, tests, signal }) {
      const shown = new Map<Uint8Array, Pixels>();
      const pixelsOf = (planes: Uint8Array): Pixels => {
        const pixels = shown.get(planes) ?? fromPlanes(planes);
        shown.set(planes, pixels); // one object for each image: a backend may prepare it once
        return pixels;
      };
      const read: TextReader = async (requests) => {
        const traces = await backend.read(
          requests.map(({ pixels, ...rest }) => ({ ...rest, image: { pixels: pixelsOf(pixels) } })),
          { adapter, signal },
        );
        return traces.map(({ logProbs }) => logProbs);
      };
      const scores = await readingScores(read, { world, catalogue }, { seed, split: 'held-out', tests });
      const named = (prefix: string, list: Readonly<Record<string, ExamScore>>) =>
        Object.entries(list).map(([kind, score]): [string, ExamScore] => [`${prefix}/${kind}`, score]);
      return Object.fromEntries([
        ['retrieval', scores.retrieval],
        ...named('swap', scores.swaps),
        ...named('question', scores.questions),
      ]);
    },
  };
}
