/** Small parts of benchmarks for tests: images, judges that know what they will say, batches. */
import type { Pixels } from '@gvu/models';
import type { BenchmarkItem, DrawnImage } from '../src/benchmarks/benchmark.ts';
import type { Detection, Judge } from '../src/benchmarks/judge.ts';

export const signal: AbortSignal = new AbortController().signal;

export function image(value = 0, side = 4): Pixels {
  return { width: side, height: side, data: new Uint8Array(3 * side * side).fill(value) };
}

/** A square of side 10 around a place. */
export function seen(name: string, confidence: number, [x, y]: readonly [number, number] = [50, 50]): Detection {
  return { class: name, confidence, box: { left: x - 5, top: y - 5, right: x + 5, bottom: y + 5 } };
}

export async function* batches(...images: readonly (readonly DrawnImage[])[]): AsyncGenerator<readonly DrawnImage[]> {
  yield* images;
}

/** `count` images of an item, of different brightness. */
export function drawn(item: BenchmarkItem, count: number, first = 0): DrawnImage[] {
  return Array.from({ length: count }, (_, sample) => ({ item, sample, pixels: image(first + sample) }));
}

/** Sees what a list says, by the brightness of the image. */
export function detector(byBrightness: readonly (readonly Detection[])[]): Judge {
  return {
    name: 'list',
    version: '1',
    async detect(images) {
      return images.map(({ pixels, classes }) =>
        (byBrightness[pixels.data[0] ?? 0] ?? []).filter((detection) => classes.includes(detection.class)),
      );
    },
  };
}

/** Answers by the brightness of the image and the question. */
export function answerer(answer: (brightness: number, question: string) => string | null): Judge {
  return {
    name: 'answers',
    version: '1',
    async answer(questions) {
      return questions.map(({ pixels, question }) => answer(pixels.data[0] ?? 0, question));
    },
  };
}
