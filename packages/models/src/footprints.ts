/**
 * The contribution point of footprints: what a backend would occupy, counted from the configuration of a checkpoint. Its programs are
 * built and never loaded, so neither the weights nor the device they are meant for need be there. A plugin provides one below
 * `gvu.contributes.footprints`, with the id and the options of its backend.
 */
import { contributionPoint } from '@gvu/core';
import type { LoraOptions, Program, Target } from '@gvu/onnx';
import type { Backend } from './backend.ts';

export interface FootprintOptions {
  /** Drawings of one prompt, G. */
  readonly groupSize: number;
  /** Tokens of the prompt, and of the text that is read. */
  readonly promptLength: number;
  readonly adapter: LoraOptions;
}

/** A program of one half of a step: drawing, or looking at drawings and reading. */
export interface CountedProgram {
  readonly phase: 'rollout' | 'scoring';
  readonly program: Program;
}

export interface Footprint
  extends Pick<Backend, 'parameters' | 'image' | 'modules' | 'defaultTargets' | 'sampler' | 'trainable'>,
    AsyncDisposable {
  /** Whether the weights are there; without them, those of the configuration are counted in the dtype that it names. */
  readonly hasWeights: boolean;
  /** The programs of a step but for those of its update, which follow from `trainable`. */
  programs(options: FootprintOptions): readonly CountedProgram[];
}

export interface FootprintDeps {
  /** What the programs are built for. */
  readonly target: Target;
}

export const footprints = contributionPoint<Footprint, FootprintDeps>({
  kind: 'footprints',
  description: 'What backends would occupy, counted from the configuration of a checkpoint.',
  entrySchema: {
    properties: {
      modelTypes: {
        type: 'array',
        uniqueItems: true,
        items: { type: 'string' },
        description: 'Values of `model_type` in config.json by which such a checkpoint is known.',
      },
    },
    required: ['modelTypes'],
  },
});
