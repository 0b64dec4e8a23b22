import { createGraph, Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kernelFinding, kernels } from './kernels.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
});
afterAll(() => runtime.dispose());

it.each(Object.entries(kernels))('tries the kernel %s', (kernel, build) => {
  const graph = createGraph({ target: 'cpu' });
  build(graph);
  expect(graph.main.nodes.map(({ op }) => op)).toContain(kernel);
  const written = createGraph({ target: 'reference' });
  build(written);
  expect(written.main.nodes.map(({ op }) => op)).not.toContain(kernel);
});

it('finds all of them right on the CPU', async () => {
  expect(await kernelFinding(runtime, 'cpu')).toMatchObject({ name: 'kernels', state: 'ok' });
});

it('names a kernel that is missing, and one that computes something else', async () => {
  const { Gelu: gelu, QuickGelu: silu } = kernels;
  const finding = await kernelFinding(runtime, 'cpu', {
    Gelu: () => {
      throw new Error('no kernel of this name');
    },
    QuickGelu: (graph) => (graph.target === 'cpu' ? gelu : silu)(graph),
  });
  expect(finding.state).toBe('failed');
  expect(finding.text).toMatch(/^cpu: Gelu no kernel of this name; QuickGelu differs from its definition by 0\.\d+$/);
});
