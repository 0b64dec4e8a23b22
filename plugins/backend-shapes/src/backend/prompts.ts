/** The prompts of a model's world, with what they ask for in GenEval's format. Held-out prompts share no meaning with training. */
import { createHash } from 'node:crypto';
import { type JsonValue, randomStream, shuffled } from '@gvu/core';
import type { Prompt, PromptSource } from '@gvu/rl';
import {
  categories,
  createCatalogue,
  type PromptMetadata,
  type PromptWeights,
  promptChooser,
  type World,
} from '../world/index.ts';

export interface ShapesPromptsOptions {
  readonly world: World;
  /** How often training chooses each category; held-out prompts are of all of them. */
  readonly weights: PromptWeights;
}

/** Throws GVU_SHAPES_CHOICE when the weights leave nothing to choose. */
export function shapesPrompts({ world, weights }: ShapesPromptsOptions): PromptSource {
  const catalogue = createCatalogue(world);
  const choose = promptChooser(catalogue, { split: 'train', weights });
  return {
    name: 'shapes',
    version: `1+${fingerprint({ shapes: world.shapes, colors: world.colors, weights })}`,
    train: (address) => promptOf(choose(address).metadata),
    heldOut({ seed, perTag }) {
      const order = randomStream(seed, 'shapes/held-out');
      return categories.flatMap((category, i) =>
        shuffled(catalogue.select(category, 'held-out'), order.at(i))
          .slice(0, perTag)
          .map(({ metadata }) => promptOf(metadata)),
      );
    },
  };
}

function promptOf(metadata: PromptMetadata): Prompt {
  return { prompt: metadata.prompt, tag: metadata.tag, metadata: asJson(metadata) };
}

function asJson({ include, exclude, ...rest }: PromptMetadata): JsonValue {
  return {
    ...rest,
    include: include.map((entry) => ({ ...entry })),
    ...(exclude && { exclude: exclude.map((entry) => ({ ...entry })) }),
  };
}

function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
}
