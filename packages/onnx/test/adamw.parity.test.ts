/** Three AdamW steps with clipping against torch.optim.AdamW, from the gradients that PyTorch recorded. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createGraph, input, output } from '../src/graph/graph.ts';
import { openSafetensors, readTensors } from '../src/safetensors/reader.ts';
import { type TensorData, tensorData, toNumbers } from '../src/tensor-data.ts';
import { adamw, biasCorrections, clipByGlobalNorm } from '../src/training/adamw.ts';
import { fixture } from './fixtures.ts';
import { loadGraph } from './run-graph.ts';

interface Optimiser {
  lr: number;
  wd: number;
  betas: [number, number];
  eps: number;
  clip: number;
}

it('follows the trajectory of torch.optim.AdamW with clip_grad_norm_', async () => {
  const folder = fixture('adamw-steps');
  // The file is the fixture's own description of the run.
  const optimiser = JSON.parse(readFileSync(join(folder, 'optim.json'), 'utf8')) as Optimiser;
  const expected = await readTensors((await openSafetensors(join(folder, 'expected.safetensors'))).tensors.values());
  const get = (name: string): TensorData => {
    const tensor = expected.get(name);
    if (!tensor) throw new Error(`the fixture lacks ${name}`);
    return tensor;
  };
  const options = {
    beta1: optimiser.betas[0],
    beta2: optimiser.betas[1],
    epsilon: optimiser.eps,
    weightDecay: optimiser.wd,
  };
  const { shape } = get('param_step0');

  const graph = createGraph();
  const vector = (name: string) => input(graph, name, { dtype: 'float32', shape });
  const scalar = (name: string) => input(graph, name, { dtype: 'float32', shape: [] });
  const clipped = clipByGlobalNorm(vector('gradient'), optimiser.clip);
  const updated = adamw(
    {
      parameters: vector('parameters'),
      gradient: clipped.gradient,
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
      learningRate: scalar('learningRate'),
      correction1: scalar('correction1'),
      correction2: scalar('correction2'),
    },
    options,
  );
  for (const [name, tensor] of Object.entries(updated)) output(`new ${name}`, tensor);
  output('norm', clipped.norm);
  await using program = await loadGraph(graph);

  const zeros = tensorData('float32', shape, new Float32Array(shape[0] ?? 0));
  let state: Record<string, TensorData> = { parameters: get('param_step0'), firstMoment: zeros, secondMoment: zeros };
  const steps = [...expected.keys()].filter((name) => name.startsWith('grad_step')).length;
  expect(steps).toBeGreaterThan(0);
  for (let step = 1; step <= steps; step++) {
    const corrections = Object.entries({ learningRate: optimiser.lr, ...biasCorrections(step, options) });
    const result = await program.run({
      ...state,
      gradient: get(`grad_step${step}`),
      ...Object.fromEntries(corrections.map(([name, value]) => [name, tensorData('float32', [], [value])])),
    });
    const got = (name: string) => result[name] ?? get(name);
    expect(relative(got('norm'), get(`grad_norm_step${step}`))).toBeLessThan(1e-5);
    expect(largestDifference(got('new parameters'), get(`param_step${step}`))).toBeLessThan(1e-6);
    expect(relative(got('new firstMoment'), get(`exp_avg_step${step}`))).toBeLessThan(1e-5);
    expect(relative(got('new secondMoment'), get(`exp_avg_sq_step${step}`))).toBeLessThan(1e-5);
    state = {
      parameters: got('new parameters'),
      firstMoment: got('new firstMoment'),
      secondMoment: got('new secondMoment'),
    };
  }
});

function largestDifference(a: TensorData, b: TensorData): number {
  const other = toNumbers(b);
  return Math.max(...toNumbers(a).map((value, i) => Math.abs(value - (other[i] ?? Number.NaN))));
}

/** The largest difference relative to the largest value. */
function relative(a: TensorData, b: TensorData): number {
  return largestDifference(a, b) / Math.max(...toNumbers(b).map(Math.abs));
}
