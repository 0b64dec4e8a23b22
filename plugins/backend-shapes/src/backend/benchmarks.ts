/**
 * GenEval and GenEval++ in the world of shapes: held-out prompts in GenEval's own format, its rules from `@gvu/evals`, and the detector
 * of pixels as the judge. Nothing in the scoring knows that it is not looking at photographs.
 */
import { randomStream, shuffled } from '@gvu/core';
import {
  type GenerationBenchmark,
  genEvalItems,
  genEvalOf,
  genEvalPlusOf,
  genEvalThresholds,
  type Judge,
} from '@gvu/evals';
import { type Category, createCatalogue, detectObjects, type World } from '../world/index.ts';
import { toPlanes } from './planes.ts';

export interface ShapesBenchmarkOptions {
  readonly world: World;
  /** At most as many held-out prompts of each task. */
  readonly perTask: number;
}

/** GenEval's six tasks. */
const genEvalTasks = ['single_object', 'two_object', 'counting', 'colors', 'position', 'color_attr'] as const;
/** Those of GenEval++, by the names of this world. */
const genEvalPlusTasks = [
  'color_attr',
  'counting',
  'color_count',
  'color_pos',
  'pos_count',
  'pos_size',
  'multi_count',
] as const;

const source = 'held-out prompts of the world of shapes';

export function shapesGenEval(options: ShapesBenchmarkOptions): GenerationBenchmark {
  return genEvalOf({
    name: 'shapes-geneval',
    source,
    items: heldOutItems(options, genEvalTasks),
    imagesPerPrompt: 4,
    // GenEval is stricter in counting because its detector finds things twice; one of components cannot.
    thresholds: { ...genEvalThresholds, countingThreshold: genEvalThresholds.threshold },
  });
}

export function shapesGenEvalPlus(options: ShapesBenchmarkOptions): GenerationBenchmark {
  return genEvalPlusOf({ name: 'shapes-geneval-pp', source, items: heldOutItems(options, genEvalPlusTasks) });
}

function heldOutItems({ world, perTask }: ShapesBenchmarkOptions, tasks: readonly Category[]) {
  const catalogue = createCatalogue(world);
  const order = randomStream(0, 'shapes/benchmark');
  const rows = tasks.flatMap((task, i) =>
    shuffled(catalogue.select(task, 'held-out'), order.at(i))
      .slice(0, perTask)
      .map(({ metadata }) => {
        const raw = JSON.stringify(metadata);
        return { value: JSON.parse(raw), raw };
      }),
  );
  return genEvalItems(rows, 'The world of shapes');
}

/** Throws GVU_MODEL_IMAGE for images of another size. */
export function shapesJudge(world: World): Judge {
  return {
    name: 'shapes',
    version: `1 ${world.shapes.join(' ')}, ${world.colors.join(' ')}`,
    async detect(images, { signal }) {
      return images.map(({ pixels, classes }) => {
        signal.throwIfAborted();
        return detectObjects(world, toPlanes(pixels)).flatMap(({ class: name, color, confidence, box }) => {
          const { x, y, width, height } = box;
          return classes.includes(name)
            ? [{ class: name, color, confidence, box: { left: x, top: y, right: x + width, bottom: y + height } }]
            : [];
        });
      });
    },
  };
}
