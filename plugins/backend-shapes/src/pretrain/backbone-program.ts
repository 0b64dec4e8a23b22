/**
 * One step of pre-training of the backbone as a program: rows that draw, and rows that read several texts of one image.
 *
 * Hidden matrices follow Muon, everything else (embeddings, head, norms) AdamW. Each group lives in one flat vector, the
 * matrices ordered by shape, so that those of one shape are one slice.
 */
import { createModules } from '@gvu/models';
import {
  adamw,
  add,
  cast,
  compile,
  createGraph,
  crossEntropy,
  div,
  equal,
  type FlatLayout,
  flatSize,
  flatten,
  gradients,
  input,
  mul,
  not,
  output,
  type Program,
  reshape,
  sizeOf,
  slice,
  split,
  sum,
  type Tensor,
  unflatten,
} from '@gvu/onnx';
import {
  codeLogits,
  createBackbone,
  drawingMask,
  embedSequences,
  readingMask,
  runSequences,
  wordLogits,
} from '../model/backbone.ts';
import { backboneParameters, imageTokens, type ShapesConfig } from '../model/config.ts';
import { readingImageAt } from '../model/sequences.ts';
import { muon } from './muon.ts';

export const backboneOptimiser = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0 };

export interface BackboneBatch {
  /** Rows that draw, and rows that read. */
  readonly drawing: number;
  readonly reading: number;
  /** Words of the longest prompt. */
  readonly promptLength: number;
  /** Words of all texts of an image together. */
  readonly textLength: number;
}

const isHidden = /^model\.layers\..*_proj\.weight$/;

/** The backbone's tensors in two groups: matrices for Muon, by shape, and the rest for AdamW. */
export function backboneLayouts(config: ShapesConfig): { hidden: FlatLayout; rest: FlatLayout } {
  const all = backboneParameters(config);
  const shapeOf = ({ shape }: FlatLayout[number]) => shape.join('x');
  const hidden = all.filter(({ name }) => isHidden.test(name));
  const shapes = [...new Set(hidden.map(shapeOf))];
  return {
    hidden: shapes.flatMap((shape) => hidden.filter((entry) => shapeOf(entry) === shape)),
    rest: all.filter(({ name }) => !isHidden.test(name)),
  };
}

export function backboneProgram(config: ShapesConfig, batch: BackboneBatch): Program {
  const { drawing, reading, promptLength, textLength } = batch;
  const graph = createGraph({ name: 'pretrain backbone' });
  const vector = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'float32', shape });
  const integers = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'int64', shape });
  const layouts = backboneLayouts(config);
  const state = {
    hidden: vector('hidden', [flatSize(layouts.hidden)]),
    momentum: vector('momentum', [flatSize(layouts.hidden)]),
    rest: vector('rest', [flatSize(layouts.rest)]),
    firstMoment: vector('firstMoment', [flatSize(layouts.rest)]),
    secondMoment: vector('secondMoment', [flatSize(layouts.rest)]),
  };
  const tensors = new Map([...unflatten(state.hidden, layouts.hidden), ...unflatten(state.rest, layouts.rest)]);
  const modules = createModules(graph, (name) => tensors.get(name) ?? state.rest, undefined, { joined: true });
  const length = readingImageAt + imageTokens + textLength;
  const backbone = createBackbone(modules, config, { positions: Math.max(length, drawingLength(batch)) });

  const drawn = runSequences(
    backbone,
    embedSequences(backbone, integers('drawing ids', [drawing, drawingLength(batch)]), { imageAt: promptLength + 2 }),
    {
      positions: integers('drawing positions', [drawing, drawingLength(batch)]),
      mask: drawingMask(backbone, vector('drawing real', [drawing, drawingLength(batch)])),
    },
  );
  const codes = codeLogits(backbone, slice(drawn, 1, { start: -imageTokens }));
  const drawingLoss = crossEntropy(codes, integers('drawing targets', [drawing, imageTokens]));

  const read = runSequences(
    backbone,
    embedSequences(backbone, integers('reading ids', [reading, length]), { imageAt: readingImageAt }),
    {
      positions: integers('reading positions', [reading, length]),
      mask: readingMask(backbone, integers('reading segments', [reading, length])),
    },
  );
  const words = wordLogits(backbone, slice(read, 1, { start: -textLength }));
  const wordTargets = integers('reading targets', [reading, textLength]);
  const readingLoss = crossEntropy(words, wordTargets, { ignoreIndex: -1 });
  // Of every token alike: how much drawing is practised follows from the rows.
  const drawnTokens = drawing * imageTokens;
  const readTokens = sum(cast(not(equal(wordTargets, -1)), 'float32'));
  const losses = add(mul(drawingLoss, drawnTokens), mul(readingLoss, readTokens));
  const loss = div(losses, add(readTokens, drawnTokens));

  const pick = (layout: FlatLayout) => layout.map(({ name }) => tensors.get(name) ?? state.rest);
  const hiddenTensors = pick(layouts.hidden);
  const found = gradients(loss, [...hiddenTensors, ...pick(layouts.rest)]);
  const matrices = updateMatrices(layouts.hidden, {
    parameters: state.hidden,
    gradient: flatten(found.slice(0, hiddenTensors.length)),
    momentum: state.momentum,
    learningRate: vector('matrixRate', []),
  });
  const others = adamw(
    {
      parameters: state.rest,
      gradient: flatten(found.slice(hiddenTensors.length)),
      firstMoment: state.firstMoment,
      secondMoment: state.secondMoment,
      learningRate: vector('learningRate', []),
      correction1: vector('correction1', []),
      correction2: vector('correction2', []),
    },
    backboneOptimiser,
  );
  output('next hidden', matrices.parameters);
  output('next momentum', matrices.momentum);
  output('next rest', others.parameters);
  output('next firstMoment', others.firstMoment);
  output('next secondMoment', others.secondMoment);
  output('drawing', drawingLoss);
  output('reading', readingLoss);
  return compile(graph);
}

/** Of the rows that draw: nothing follows their last code, which is left out. */
export function drawingLength({ promptLength }: Pick<BackboneBatch, 'promptLength'>): number {
  return promptLength + 2 + imageTokens - 1;
}

interface FlatMuon {
  readonly parameters: Tensor;
  readonly gradient: Tensor;
  readonly momentum: Tensor;
  readonly learningRate: Tensor;
}

/** Muon over flat vectors whose matrices are ordered by shape. */
function updateMatrices(layout: FlatLayout, state: FlatMuon): { parameters: Tensor; momentum: Tensor } {
  const shapes = [...new Set(layout.map(({ shape }) => shape.join('x')))].map((key) => {
    const same = layout.filter(({ shape }) => shape.join('x') === key);
    return [same.length, ...(same[0]?.shape ?? [])];
  });
  const cut = (flat: Tensor) => split(flat, 0, shapes.map(sizeOf));
  const [parameters, gradient, momentum] = [cut(state.parameters), cut(state.gradient), cut(state.momentum)];
  const updated = shapes.map((shape, i) => {
    const at = (parts: readonly Tensor[]) => reshape(parts[i] ?? state.parameters, shape);
    const matrices = { parameters: at(parameters), gradient: at(gradient), momentum: at(momentum) };
    return muon({ ...matrices, learningRate: state.learningRate });
  });
  return {
    parameters: flatten(updated.map((matrices) => matrices.parameters)),
    momentum: flatten(updated.map((matrices) => matrices.momentum)),
  };
}
