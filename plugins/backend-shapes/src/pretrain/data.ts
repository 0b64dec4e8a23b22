/**
 * The examples of pre-training: a pure function of (seed, step, row), so that a run can be continued anywhere.
 */
import { randomStream } from '@gvu/core';
import {
  type Catalogue,
  type PromptWeights,
  promptChooser,
  renderScene,
  type Scene,
  sampleScene,
  type World,
} from '../world/index.ts';

export interface Example {
  readonly prompt: string;
  readonly scene: Scene;
  /** Bytes [3, 64, 64]. */
  readonly pixels: Uint8Array;
}

export interface ExampleOptions {
  readonly seed: number;
  readonly weights?: PromptWeights;
}

/** Examples with training prompts; rows of a step differ. */
export function exampleSource(world: World, catalogue: Catalogue, { seed, weights }: ExampleOptions) {
  const choose = promptChooser(catalogue, { split: 'train', ...(weights && { weights }) });
  const [prompts, scenes, noises] = ['prompt', 'scene', 'noise'].map((name) =>
    randomStream(seed, `shapes/pretrain/${name}`),
  );
  if (!prompts || !scenes || !noises) throw new RangeError('unreachable: three streams');
  return (step: number, row: number): Example => {
    const { metadata } = choose(prompts.at(step, row));
    const scene = sampleScene(world, metadata, { address: scenes.at(step, row) });
    return { prompt: metadata.prompt, scene, pixels: renderScene(world, scene, noises.at(step, row)) };
  };
}
