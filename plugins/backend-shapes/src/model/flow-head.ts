/**
 * From tokens to pixels: a rectified flow that carries noise to the patch that the tokens ask for.
 *
 * Source: X. Liu, C. Gong, Q. Liu, "Flow straight and fast", 2022. With x_t = (1 - t) noise + t patch, the network predicts
 * the patch itself, from which the velocity is (patch - x_t) / (1 - t): in few steps that is more exact than predicting the
 * velocity, and the last step ends on a prediction. Each patch is decoded from its own code and the eight around it.
 */
import type { Modules } from '@gvu/models';
import {
  add,
  concat,
  constant,
  cos,
  div,
  expand,
  loop,
  mul,
  pad,
  reshape,
  rmsNorm,
  scope,
  silu,
  sin,
  slice,
  sub,
  type Tensor,
} from '@gvu/onnx';
import { gridSide } from '../world/index.ts';
import { type FlowSizes, flowParameters, imageTokens, patchSize, timeFrequencies } from './config.ts';

const epsilon = 1e-5;

/** Each code together with the eight around it, zeros beyond the border: [B * 16, latent] to [B * 16, 9 * latent]. */
export function neighbourhoods(codes: Tensor): Tensor {
  const [rows = 0, latent = 0] = codes.shape;
  const grid = reshape(codes, [rows / imageTokens, gridSide, gridSide, latent]);
  const around = pad(grid, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const shifts = [0, 1, 2].flatMap((down) =>
    [0, 1, 2].map((right) =>
      slice(slice(around, 1, { start: down, end: down + gridSide }), 2, { start: right, end: right + gridSide }),
    ),
  );
  return reshape(concat(shifts, 3), [rows, 9 * latent]);
}

/** The patches [N, 768] predicted from noisy ones [N, 768] at time [N, 1] (0 noise, 1 patch), given their neighbourhoods. */
export function predictPatches(
  modules: Modules,
  { noisy, time, around }: { noisy: Tensor; time: Tensor; around: Tensor },
  { width, blocks }: FlowSizes,
): Tensor {
  const { graph, linear, weight } = modules;
  const norm = (x: Tensor, name: string) => rmsNorm(x, weight(`${name}.weight`, [width]), epsilon);
  return scope(graph, 'flow', () => {
    const frequencies = Array.from({ length: timeFrequencies }, (_, i) => (Math.PI / 2) * 2 ** (i / 2));
    const angles = mul(time, constant(graph, 'float32', [1, timeFrequencies], frequencies));
    const features = concat([noisy, around, sin(angles), cos(angles)], 1);
    let hidden = linear('flow.input', features, { out: width, bias: true });
    for (let i = 0; i < blocks; i++) {
      const up = linear(`flow.blocks.${i}.up`, norm(hidden, `flow.blocks.${i}.norm`), { out: width, bias: true });
      hidden = linear(`flow.blocks.${i}.down`, silu(up), { out: width, bias: true, addend: hidden });
    }
    return linear('flow.output', norm(hidden, 'flow.norm'), { out: patchSize, bias: true });
  });
}

/** Patches [N, 768] from standard normal noise [N, 768] and codes [N, latent], by Euler's method inside one loop. */
export function flowPatches(
  modules: Modules,
  { codes, noise }: { codes: Tensor; noise: Tensor },
  flow: FlowSizes,
): Tensor {
  const { graph } = modules;
  const [rows = 0] = noise.shape;
  const around = neighbourhoods(codes);
  // Asked for before the loop: what is asked for first inside it would live there.
  for (const { name, shape } of flowParameters(flow, { latent: codes.shape[1] ?? 0 })) modules.weight(name, shape);
  const start = constant(graph, 'float32', [], [0]);
  const { carried } = loop(
    graph,
    { trips: flow.steps, carried: [{ initial: noise }, { initial: start }], name: 'flow' },
    (_, [now = noise, time = start]) => {
      const patch = predictPatches(
        modules,
        { noisy: now, time: expand(reshape(time, [1, 1]), [rows, 1]), around },
        flow,
      );
      // A step of 1 / steps along (patch - now) / (1 - time).
      const share = div(1 / flow.steps, sub(1, time));
      return { carried: [add(now, mul(sub(patch, now), share)), add(time, 1 / flow.steps)], kept: [] };
    },
  );
  return carried[0] ?? noise;
}
