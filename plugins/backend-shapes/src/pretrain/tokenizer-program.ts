/**
 * One step of training of tokenizer and flow head together, as a program.
 *
 * Encoder, flow head and an auxiliary pixel decoder (which is thrown away) follow the gradient by AdamW; the codebook follows
 * the means of what is assigned to it (moving averages, van den Oord et al. 2017, appendix A.1). Codes that nothing has been
 * assigned to for a while are put where the codebook is worst: on latents drawn with probability proportional to the
 * fourth power of their distance from it. Nothing is restarted nearer than a few average distances, lest spare codes
 * split what is noise.
 */
import { createModules } from '@gvu/models';
import {
  adamw,
  add,
  and,
  cast,
  clip,
  clipByGlobalNorm,
  compile,
  constant,
  createGraph,
  cumsum,
  div,
  exp,
  type FlatLayout,
  flatSize,
  flatten,
  gather,
  gradients,
  greater,
  input,
  less,
  log,
  matmul,
  maximum,
  mean,
  mul,
  neg,
  oneHot,
  output,
  type Program,
  silu,
  square,
  stopGradient,
  straightThrough,
  sub,
  sum,
  type Tensor,
  topK,
  unflatten,
  unsqueeze,
  where,
} from '@gvu/onnx';
import { encoderParameters, flowParameters, imageTokens, patchSize, type ShapesConfig } from '../model/config.ts';
import { neighbourhoods, predictPatches } from '../model/flow-head.ts';
import { toPatches } from '../model/patches.ts';
import { codesOf, encodePatches, nearestCodes } from '../model/tokenizer.ts';
import { imageSide } from '../world/index.ts';

/** What the averages of the codebook keep from step to step. */
const decay = 0.98;
/** A code with fewer assignments a step, on average, is dead. */
const deadBelow = 0.03;
/** Least squared distance of a restart, in geometric means of that step: most patches are ground, so that is its noise. */
const restartBeyond = 8;
const commitment = 0.25;
/** Time from which on the loss of the flow head grows no further as time goes to 1. */
const lastTime = 0.9;
export const tokenizerOptimiser = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };

/** What is trained by gradient: encoder, flow head, and the auxiliary decoder, which no model keeps. */
export function tokenizerLayout({ tokenizer, flow }: ShapesConfig): FlatLayout {
  const { latent, width } = tokenizer;
  return [
    ...encoderParameters(tokenizer),
    ...flowParameters(flow, tokenizer),
    { name: 'auxiliary.0.weight', shape: [width, latent] },
    { name: 'auxiliary.0.bias', shape: [width] },
    { name: 'auxiliary.1.weight', shape: [patchSize, width] },
    { name: 'auxiliary.1.bias', shape: [patchSize] },
  ];
}

export function tokenizerProgram(config: ShapesConfig, { batch }: { batch: number }): Program {
  const { tokenizer, flow } = config;
  const { codes, latent, width } = tokenizer;
  const graph = createGraph({ name: 'pretrain tokenizer' });
  const vector = (name: string, shape: readonly number[]) => input(graph, name, { dtype: 'float32', shape });
  const layout = tokenizerLayout(config);
  const parameters = vector('parameters', [flatSize(layout)]);
  const [firstMoment, secondMoment] = [
    vector('firstMoment', parameters.shape),
    vector('secondMoment', parameters.shape),
  ];
  const codebook = vector('codebook', [codes, latent]);
  const counts = vector('counts', [codes]);
  const sums = vector('sums', [codes, latent]);
  const pixels = input(graph, 'pixels', { dtype: 'uint8', shape: [batch, 3, imageSide, imageSide] });
  const rows = batch * imageTokens;
  const noise = vector('noise', [rows, patchSize]);
  const time = vector('time', [rows, 1]);
  const uniform = vector('uniform', [rows]);
  const [learningRate, correction1, correction2] = [
    vector('learningRate', []),
    vector('correction1', []),
    vector('correction2', []),
  ];

  const tensors = unflatten(parameters, layout);
  const modules = createModules(graph, (name) => tensors.get(name) ?? parameters);
  const patches = toPatches(pixels);
  const latents = encodePatches(modules, patches, tokenizer);
  const indices = nearestCodes(latents, codebook);
  const nearest = codesOf(codebook, indices);
  const quantised = straightThrough(nearest, latents);

  const auxiliary = silu(modules.linear('auxiliary.0', quantised, { out: width, bias: true }));
  const reconstruction = mean(
    square(sub(modules.linear('auxiliary.1', auxiliary, { out: patchSize, bias: true }), patches)),
  );
  const distance = sum(square(sub(latents, nearest)), [1]); // [N]
  const noisy = add(mul(noise, sub(1, time)), mul(patches, time));
  const predicted = predictPatches(modules, { noisy, time, around: neighbourhoods(quantised) }, flow);
  const rest = clip(sub(1, time), 1 - lastTime, 1);
  const flowLoss = mean(square(div(sub(predicted, patches), rest)));
  const loss = add(add(reconstruction, mul(mean(distance), commitment / latent)), flowLoss);

  const gradient = flatten(gradients(loss, [...tensors.values()]));
  const clipped = clipByGlobalNorm(gradient, 1);
  const updated = adamw(
    { parameters, gradient: clipped.gradient, firstMoment, secondMoment, learningRate, correction1, correction2 },
    tokenizerOptimiser,
  );
  const moved = moveCodes({ latents, indices, distance, uniform }, { codebook, counts, sums });
  for (const [name, tensor] of Object.entries({ ...updated, ...moved.state })) output(`next ${name}`, tensor);
  const used = sum(cast(greater(moved.state.counts, deadBelow), 'float32'));
  const metrics = { loss, reconstruction, distance: mean(distance), flow: flowLoss, used, restarted: moved.restarted };
  for (const [name, tensor] of Object.entries(metrics)) output(name, tensor);
  return compile(graph);
}

interface Assignment {
  readonly latents: Tensor;
  readonly indices: Tensor;
  readonly distance: Tensor;
  readonly uniform: Tensor;
}

interface Codes {
  readonly codebook: Tensor;
  readonly counts: Tensor;
  readonly sums: Tensor;
}

function moveCodes(assignment: Assignment, { codebook, counts, sums }: Codes): { state: Codes; restarted: Tensor } {
  const { graph } = codebook.block;
  const [codes = 0] = codebook.shape;
  const [latents, distance] = [stopGradient(assignment.latents), stopGradient(assignment.distance)];
  const assigned = oneHot(assignment.indices, codes, 'float32'); // [N, codes]
  const nextCounts = add(mul(counts, decay), mul(sum(assigned, [0]), 1 - decay));
  const nextSums = add(mul(sums, decay), mul(matmul(assigned, latents, { transA: true }), 1 - decay));
  const means = div(nextSums, unsqueeze(maximum(nextCounts, 1e-6), 1));

  // Draws without replacement: the largest of log weight plus Gumbel noise (Efraimidis & Spirakis 2006).
  const gumbel = neg(log(neg(log(assignment.uniform))));
  const candidates = topK(add(mul(log(add(distance, 1e-12)), 2), gumbel), codes).indices;
  const dead = less(nextCounts, deadBelow);
  const rank = clip(sub(cumsum(cast(dead, 'int64'), 0), 1), 0, codes - 1);
  const chosen = gather(candidates, rank); // the first dead code takes the first candidate
  const isFar = greater(gather(distance, chosen), mul(exp(mean(log(add(distance, 1e-12)))), restartBeyond));
  const restart = and(dead, isFar);
  const column = unsqueeze(restart, 1);
  const fresh = gather(latents, chosen);
  const one = constant(graph, 'float32', [], [1]);
  return {
    state: {
      codebook: where(column, fresh, where(unsqueeze(dead, 1), codebook, means)),
      counts: where(restart, one, nextCounts),
      sums: where(column, fresh, nextSums),
    },
    restarted: sum(cast(restart, 'float32')),
  };
}
