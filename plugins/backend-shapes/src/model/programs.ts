/**
 * The programs of a shapes model at work: pixels to codes, codes to pixels, prompts to codes, the probability of texts, and answers.
 * With an adapter, those that run the backbone have one more input, `adapter` [P]: see `adapterInput`.
 */
import { type Adapter, createModules, type Modules } from '@gvu/models';
import {
  add,
  cast,
  clip,
  compile,
  createGraph,
  equal,
  flatSize,
  type Graph,
  input,
  type LoraOptions,
  loraLayout,
  mul,
  output,
  type Program,
  reshape,
  round,
  type SamplerOptions,
  slice,
  type Tensor,
  tokenLogProb,
  unflatten,
  where,
} from '@gvu/onnx';
import { imageSide } from '../world/index.ts';
import {
  answerWords,
  createBackbone,
  drawCodes,
  embedSequences,
  readingMask,
  runSequences,
  wordLogits,
} from './backbone.ts';
import { backboneModules, imageTokens, patchSize, type ShapesConfig } from './config.ts';
import { flowPatches } from './flow-head.ts';
import { fromPatches, toPatches } from './patches.ts';
import { readingImageAt } from './sequences.ts';
import { codesOf, encodePatches, nearestCodes } from './tokenizer.ts';

/** Where a graph finds the tensors of a model, by name. */
export type WeightSource = (graph: Graph) => (name: string, shape: readonly number[]) => Tensor;

export interface ProgramOptions {
  readonly config: ShapesConfig;
  readonly weights: WeightSource;
  /** Rows of the batch. */
  readonly rows: number;
}

export interface BackboneProgramOptions extends ProgramOptions {
  readonly adapter?: LoraOptions | undefined;
}

/** `pixels` uint8 [B, 3, 64, 64] to `codes` int64 [B, 16]. */
export function encodeProgram({ config, weights, rows }: ProgramOptions): Program {
  const { graph, modules } = begin('encode', { config, weights });
  const pixels = input(graph, 'pixels', { dtype: 'uint8', shape: [rows, 3, imageSide, imageSide] });
  const latents = encodePatches(modules, toPatches(pixels), config.tokenizer);
  output('codes', reshape(nearestCodes(latents, codebookOf(modules, config)), [rows, imageTokens]));
  return compile(graph);
}

/** `codes` int64 [B, 16] and standard normal `noise` [B * 16, 768] to `pixels` uint8 [B, 3, 64, 64]. */
export function decodeProgram({ config, weights, rows }: ProgramOptions): Program {
  const { graph, modules } = begin('decode', { config, weights });
  const codes = input(graph, 'codes', { dtype: 'int64', shape: [rows, imageTokens] });
  const noise = input(graph, 'noise', { dtype: 'float32', shape: [rows * imageTokens, patchSize] });
  const wanted = codesOf(codebookOf(modules, config), reshape(codes, [-1]));
  const patches = flowPatches(modules, { codes: wanted, noise }, config.flow);
  const bytes = clip(round(mul(add(fromPatches(patches), 1), 127.5)), 0, 255);
  output('pixels', cast(bytes, 'uint8'));
  return compile(graph);
}

/**
 * Prompts (`ids`, `positions`, `real`: [B, promptLength + 2], see `drawingSequences`) and `uniform` [16, B, 1] to `codes` int64
 * [B, 16] and their log-probabilities `policy` and `sampler` [B, 16].
 */
export function drawProgram(
  { config, weights, rows, adapter }: BackboneProgramOptions,
  { promptLength, sampler }: { promptLength: number; sampler: SamplerOptions },
): Program {
  const { graph, modules } = begin('draw', { config, weights, adapter });
  const length = promptLength + 2;
  const backbone = createBackbone(modules, config, { positions: length + imageTokens });
  const uniform = input(graph, 'uniform', { dtype: 'float32', shape: [imageTokens, rows, 1] });
  const prompts = {
    ids: input(graph, 'ids', { dtype: 'int64', shape: [rows, length] }),
    positions: input(graph, 'positions', { dtype: 'int64', shape: [rows, length] }),
    real: input(graph, 'real', { dtype: 'float32', shape: [rows, length] }),
  };
  const drawn = drawCodes(backbone, prompts, { sampler, uniform });
  output('codes', drawn.tokens);
  output('policy', drawn.policyLogProbs);
  output('sampler', drawn.samplerLogProbs);
  return compile(graph);
}

/**
 * Reading sequences (`ids`, `positions`, `segments`: [B, 66 + textLength]) and `targets` [B, textLength], see `readingSequences`, to
 * `logProbs` [B, textLength] of the targets in nats: 0 where there is none.
 */
export function readProgram(
  { config, weights, rows, adapter }: BackboneProgramOptions,
  { textLength }: { textLength: number },
): Program {
  const { graph, modules } = begin('read', { config, weights, adapter });
  const length = readingImageAt + imageTokens + textLength;
  const backbone = createBackbone(modules, config, { positions: length });
  const integers = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'int64', shape });
  const [ids, positions] = [integers('ids', [rows, length]), integers('positions', [rows, length])];
  const mask = readingMask(backbone, integers('segments', [rows, length]));
  const targets = integers('targets', [rows, textLength]);
  const embedded = embedSequences(backbone, ids, { imageAt: readingImageAt });
  const hidden = slice(runSequences(backbone, embedded, { positions, mask }), 1, { start: -textLength });
  const ignored = equal(targets, -1);
  output('logProbs', where(ignored, 0, tokenLogProb(wordLogits(backbone, hidden), where(ignored, 0, targets))));
  return compile(graph);
}

/**
 * Images and questions (`ids`, `positions`, `segments`: [B, 66 + questionLength], see `questionSequences`) to `words` int64 [B, steps]:
 * the likeliest word each time, and its log-probability as `policy`. What comes after an end of sequence means nothing.
 */
export function answerProgram(
  { config, weights, rows, adapter }: BackboneProgramOptions,
  { questionLength, steps }: { questionLength: number; steps: number },
): Program {
  const { graph, modules } = begin('answer', { config, weights, adapter });
  const length = readingImageAt + imageTokens + questionLength;
  const backbone = createBackbone(modules, config, { positions: length + steps });
  const integers = (name: string) => input(graph, name, { dtype: 'int64', shape: [rows, length] });
  const questions = { ids: integers('ids'), positions: integers('positions'), segments: integers('segments') };
  const { tokens, policyLogProbs } = answerWords(backbone, questions, { steps });
  output('words', tokens);
  output('policy', policyLogProbs);
  return compile(graph);
}

function begin(
  name: string,
  { config, weights, adapter }: Omit<BackboneProgramOptions, 'rows'>,
): { graph: Graph; modules: Modules } {
  const graph = createGraph({ name: `shapes ${name}` });
  return { graph, modules: createModules(graph, weights(graph), adapter && adapterInput(graph, config, adapter)) };
}

/** Declares the input `adapter`, float32 [P]: the matrices of LoRA one after the other, in the order of `loraLayout`. */
function adapterInput(graph: Graph, config: ShapesConfig, options: LoraOptions): Adapter {
  const layout = loraLayout(backboneModules(config), options);
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  return { tensors: unflatten(flat, layout), scale: options.alpha / options.rank };
}

function codebookOf({ weight }: Modules, { tokenizer }: ShapesConfig): Tensor {
  return weight('tokenizer.codebook.weight', [tokenizer.codes, tokenizer.latent]);
}
