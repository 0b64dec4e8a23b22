/** What an autoregressive model occupies: its programs as `backend.ts` makes them for a group of drawings, built and not loaded. */
import type { Program } from '@gvu/onnx';
import type { CountedProgram, Footprint } from '../footprints.ts';
import { largestBatch } from './chunks.ts';
import { lineEndsOf } from './line-ends.ts';
import { createPolicy } from './policy.ts';
import { drawProgram, readProgram } from './programs.ts';
import { roundedLength } from './sequences.ts';
import type { AutoregressiveSpec } from './spec.ts';

/** What of a specification does not rest on the tokenizer. */
export interface AutoregressiveSizes
  extends Pick<
    AutoregressiveSpec,
    'parameters' | 'defaultTargets' | 'sampler' | 'model' | 'image' | 'guidance' | 'embeddings'
  > {}

export interface FootprintParts {
  readonly hasWeights: boolean;
  /** The places of a sequence that an image takes when it is read, and whether features are put there. */
  readonly shown: { readonly count: number; readonly features: boolean };
  /** Words that a reading has besides, such as a system prompt. */
  readonly readingLength: number;
  /** The programs of pictures, which work on one at a time. */
  readonly pictures: () => readonly Program[];
  readonly dispose: () => Promise<void>;
}

export function autoregressiveFootprint(sizes: AutoregressiveSizes, parts: FootprintParts): Footprint {
  const { model, image, guidance, sampler, parameters, defaultTargets, embeddings } = sizes;
  const { hasWeights, shown, readingLength, pictures, dispose } = parts;
  const decisions = image.rows * image.columns;
  const lineEnds = lineEndsOf(image);
  return {
    parameters,
    hasWeights,
    image: { width: image.width, height: image.height, decisions },
    modules: model.modules,
    defaultTargets,
    sampler,
    trainable: createPolicy(model, { steps: decisions, lineEnds, promptIds: () => [], padding: 0, embeddings }),
    programs({ groupSize, promptLength, adapter }) {
      const rows = Math.min(groupSize, largestBatch);
      const drawing = { rows, length: roundedLength(promptLength), adapter };
      const length = roundedLength(readingLength + shown.count);
      const features = shown.features ? { placeholder: 0, count: rows * shown.count } : undefined;
      const draw = drawProgram(model, drawing, { steps: decisions, sampler, guidance, prompts: 1, lineEnds });
      const read = readProgram(model, { rows, length, adapter, features }, { textLength: roundedLength(promptLength) });
      const scoring = [...pictures(), read].map((program): CountedProgram => ({ phase: 'scoring', program }));
      return [{ phase: 'rollout', program: draw }, ...scoring];
    },
    [Symbol.asyncDispose]: dispose,
  };
}
