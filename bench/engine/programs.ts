/** The programs that the benchmark times, built by the engine as its users would build them. */
import { createDecoder, createModules, type Decoder, rollout, sequenceLogits } from '@gvu/models';
import {
  adamw,
  compile,
  constantData,
  createGraph,
  crossEntropy,
  flatSize,
  flatten,
  full,
  type Graph,
  gradients,
  input,
  loop,
  matmul,
  output,
  type Program,
  reshape,
  slice,
  type Target,
  type Tensor,
  tensorData,
  unflatten,
  weight,
} from '@gvu/onnx';
import { adapterLayout, type Case, config, lora, optimiser, parameterLayout, sampler, sizes } from './case.ts';

/** Declares what an update reads besides the gradient, and puts out what it gives. */
function update(graph: Graph, parameters: Tensor, gradient: Tensor): void {
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape: parameters.shape });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const updated = adamw(
    {
      parameters,
      gradient,
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
      learningRate: scalar('learningRate'),
      correction1: scalar('correction1'),
      correction2: scalar('correction2'),
    },
    optimiser,
  );
  for (const [name, tensor] of Object.entries(updated)) output(`new ${name}`, tensor);
}

function loss(decoder: Decoder): Tensor {
  const { graph } = decoder.modules;
  const { batch, length } = sizes;
  const shape = [batch, length];
  const positions = Array.from({ length: batch }, () => [...Array(length).keys()]).flat();
  const logits = sequenceLogits(decoder, {
    ids: input(graph, 'tokens', { dtype: 'int64', shape }),
    positions: constantData(graph, tensorData('int64', shape, positions)),
  });
  return crossEntropy(logits, reshape(input(graph, 'targets', { dtype: 'int64', shape }), [-1]));
}

/** Loss of the batch; with `gradients`, those of every weight; with `update`, the AdamW step too. */
export function trainProgram(mode: 'forward' | 'gradients' | 'update', target: Target = 'cpu'): Program {
  const graph = createGraph({ name: mode, target });
  const parameters = input(graph, 'parameters', { dtype: 'float32', shape: [flatSize(parameterLayout)] });
  const named = unflatten(parameters, parameterLayout);
  const modules = createModules(graph, (name) => named.get(name) ?? parameters, undefined, { joined: true });
  const total = loss(createDecoder(modules, config, { positions: sizes.length }));
  output('loss', total);
  if (mode === 'forward') return compile(graph);
  const gradient = flatten(gradients(total, [...named.values()]));
  if (mode === 'gradients') output('gradient', gradient);
  else update(graph, parameters, gradient);
  return compile(graph);
}

/** One LoRA step: base weights fixed in the program, gradients and AdamW of the adapters only. */
export function loraProgram({ parameters }: Case, mode: 'gradients' | 'update', target: Target = 'cpu'): Program {
  const graph = createGraph({ name: 'lora', target });
  const flat = input(graph, 'parameters', { dtype: 'float32', shape: [flatSize(adapterLayout)] });
  const tensors = unflatten(flat, adapterLayout);
  const modules = createModules(graph, (name) => weight(graph, name, parameters.get(name) ?? missing(name)), {
    tensors,
    scale: lora.alpha / lora.rank,
  });
  const total = loss(createDecoder(modules, config, { positions: sizes.length }));
  output('loss', total);
  const gradient = flatten(gradients(total, [...tensors.values()]));
  if (mode === 'gradients') output('gradient', gradient);
  else update(graph, flat, gradient);
  return compile(graph);
}

/** A rollout of the group: prefill and one token after another. */
export function generateProgram({ parameters }: Case, target: Target = 'cpu'): Program {
  const { rows, prompt, steps } = sizes;
  const graph = createGraph({ name: 'generate', target });
  const modules = createModules(graph, (name) => weight(graph, name, parameters.get(name) ?? missing(name)));
  const decoder = createDecoder(modules, config, { positions: prompt + steps });
  const shape = [rows, prompt];
  const positions = Array.from({ length: rows }, () => [...Array(prompt).keys()]).flat();
  const generated = rollout(
    decoder,
    {
      ids: input(graph, 'prompt', { dtype: 'int64', shape }),
      positions: constantData(graph, tensorData('int64', shape, positions)),
    },
    {
      steps,
      sampler,
      uniform: reshape(input(graph, 'noise', { dtype: 'float32', shape: [steps, rows] }), [steps, rows, 1]),
    },
  );
  output('tokens', generated.tokens);
  output('logProbs', generated.samplerLogProbs);
  return compile(graph);
}

/**
 * The compute floor of generation: the linear layers alone, at the shapes of prefill and of every decoded token, one feeding the
 * next in the same loop. No attention, norms, rotations or sampling.
 */
export function floorProgram({ parameters }: Case): Program {
  const { rows, prompt, steps } = sizes;
  const graph = createGraph({ name: 'floor' });
  const modules = createModules(graph, (name) => weight(graph, name, parameters.get(name) ?? missing(name)));
  const { width, feedForward, layers } = config;
  const linears = (start: Tensor): Tensor => {
    let x = start;
    for (let layer = 0; layer < layers; layer++) {
      const name = `model.layers.${layer}`;
      for (const part of ['q', 'k', 'v', 'o']) x = modules.linear(`${name}.self_attn.${part}_proj`, x, { out: width });
      const up = modules.linear(`${name}.mlp.up_proj`, x, { out: feedForward });
      const inner = modules.linear(`${name}.mlp.gate_proj`, x, { out: feedForward, addend: up });
      x = modules.linear(`${name}.mlp.down_proj`, inner, { out: width });
    }
    return x;
  };
  const hidden = (count: number) => full(graph, { dtype: 'float32', shape: [count, width] }, 1e-3);
  const head = (x: Tensor) => modules.linear('lm_head', x, { out: config.vocabulary });
  const prefill = slice(linears(hidden(rows * prompt)), 0, { end: rows });
  const looped = loop(graph, { trips: steps - 1, carried: [{ initial: prefill }] }, (_, [x = prefill]) => {
    const next = linears(x);
    return { carried: [next], kept: [slice(head(next), 1, { end: 1 })] };
  });
  output('first', head(prefill));
  for (const [i, tensor] of [...looped.carried, ...looped.kept].entries()) output(`out ${i}`, tensor);
  return compile(graph);
}

/** Floating-point operations: two for each weight and token, and for each product of attention; three times that with gradients. */
const { batch, length } = sizes;
const products =
  config.layers * (4 * config.width ** 2 + 3 * config.width * config.feedForward) + config.width * config.vocabulary;
const attentionProducts = 2 * config.layers * batch * length ** 2 * config.width;
export const flops = { gradients: 3 * 2 * (products * batch * length + attentionProducts) };

/** How many products `matmulProgram` chains, so that the cost of one run does not count as part of the rate. */
export const MATMULS = 8;

/** A chain of square matrix products: the rate that the processor reaches. */
export function matmulProgram(size: number): Program {
  const graph = createGraph({ name: 'matmul' });
  const side = (name: string) => input(graph, name, { dtype: 'float32', shape: [size, size] });
  const b = side('b');
  let product = side('a');
  for (let i = 0; i < MATMULS; i++) product = matmul(product, b);
  output('corner', slice(slice(product, 0, { end: 1 }), 1, { end: 1 }));
  return compile(graph);
}

function missing(name: string): never {
  throw new Error(`the case lacks ${name}`);
}
