/**
 * Who looks at images for a benchmark. A judge has one or more of five abilities; a benchmark says which it uses and how, and a judge
 * knows no benchmark. Detectors, VQA models, CLIP towers and the model under test itself all fit this shape.
 */
import { contributionPoint } from '@gvu/core';
import type { ActiveAdapter, Backend, Pixels } from '@gvu/models';
import type { Runtime } from '@gvu/onnx';
import { evalsErrors } from '../errors.ts';

/** A rectangle in pixels, y down. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Detection {
  readonly class: string;
  /** 0 to 1. */
  readonly confidence: number;
  readonly box: Box;
  /** The likeliest of GenEval's ten colours, from judges that tell colours. */
  readonly color?: string;
}

export interface JudgeQuestion {
  readonly pixels: Pixels;
  /** What the judge is told about its task beforehand. */
  readonly system?: string;
  readonly question: string;
}

/** How near every part of an image is, of any size; larger is nearer, on any scale. */
export interface DepthMap {
  readonly width: number;
  readonly height: number;
  /** [height * width], by rows from the top. */
  readonly nearness: Float32Array;
}

export type JudgeAbility = 'detect' | 'answer' | 'probability' | 'similarity' | 'depth';

interface JudgeUse {
  readonly signal: AbortSignal;
}

/** Lists of results are in the order of the requests. */
export interface Judge {
  readonly name: string;
  /** Changes whenever the same image could get another verdict: of the code, of its weights. */
  readonly version: string;
  /** All objects of these classes, of any confidence. */
  detect?(
    images: readonly { readonly pixels: Pixels; readonly classes: readonly string[] }[],
    use: JudgeUse,
  ): Promise<readonly (readonly Detection[])[]>;
  /** Answers in words; null = the judge failed on this question. */
  answer?(questions: readonly JudgeQuestion[], use: JudgeUse): Promise<readonly (string | null)[]>;
  /** Probabilities that the answer is yes, 0 to 1. */
  probability?(questions: readonly JudgeQuestion[], use: JudgeUse): Promise<readonly number[]>;
  /** Cosine similarities of image and text, -1 to 1. */
  similarity?(
    pairs: readonly { readonly pixels: Pixels; readonly text: string }[],
    use: JudgeUse,
  ): Promise<readonly number[]>;
  depth?(images: readonly { readonly pixels: Pixels }[], use: JudgeUse): Promise<readonly DepthMap[]>;
}

export interface JudgeDeps {
  /** The model under test, for judges that ask it about its own drawings. */
  readonly backend: Backend;
  readonly adapter: ActiveAdapter | undefined;
  /** Where judges that have a network of their own run it; it belongs to the caller. */
  readonly runtime: Runtime;
  /** The bytes of a PNG file, for judges elsewhere. */
  readonly encodePng: (pixels: Pixels) => Uint8Array;
}

export const judges = contributionPoint<Judge, JudgeDeps>({
  kind: 'judges',
  description: 'Who looks at images for a benchmark.',
});

/** The judge, known to have an ability. Throws GVU_BENCHMARK_JUDGE. */
export function requireAbility<A extends JudgeAbility>(
  judge: Judge,
  { ability, benchmark }: { ability: A; benchmark: string },
): Judge & Required<Pick<Judge, A>> {
  if (hasAbility(judge, ability)) return judge;
  throw evalsErrors.error(
    'GVU_BENCHMARK_JUDGE',
    `${benchmark} needs a judge that can ${abilityNames[ability]}; '${judge.name}' cannot.`,
    { hint: 'Choose another judge, or evaluate without one and score the written folder elsewhere.' },
  );
}

export function hasAbility<A extends JudgeAbility>(
  judge: Judge,
  ability: A,
): judge is Judge & Required<Pick<Judge, A>> {
  return judge[ability] !== undefined;
}

const abilityNames: Readonly<Record<JudgeAbility, string>> = {
  detect: 'detect objects',
  answer: 'answer questions',
  probability: 'say how probable a yes is',
  similarity: 'compare an image with a text',
  depth: 'tell the depth of an image',
};
