/**
 * The fused kernels that the engine prefers, tried one by one on a device, and compared with the same formula written out of elementary
 * operators. A kernel that a build of onnxruntime lacks, or computes wrongly, is named before a run of hours meets it.
 */
import {
  cachedAttention,
  compile,
  constantData,
  createGraph,
  type Graph,
  gelu,
  layerNorm,
  matmul,
  output,
  type Runtime,
  rmsNorm,
  rope,
  silu,
  type Target,
  type Tensor,
  tensorData,
  toNumbers,
} from '@gvu/onnx';
import type { Finding } from './examine.ts';

/** Values of a wave, in every kernel's range. */
function wave(graph: Graph, shape: readonly number[]): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  const values = Array.from({ length: size }, (_, i) => 2 * Math.sin(3 * i + 1));
  return constantData(graph, tensorData('float32', shape, values));
}

type Kernels = Readonly<Record<string, (graph: Graph) => Tensor>>;

/** By the name of the operator. */
export const kernels = {
  FusedMatMul: (graph) => matmul(wave(graph, [2, 5, 8]), wave(graph, [2, 6, 8]), { transB: true, alpha: 0.5 }),
  QuickGelu: (graph) => silu(wave(graph, [4, 8])),
  Gelu: (graph) => gelu(wave(graph, [4, 8])),
  SimplifiedLayerNormalization: (graph) => rmsNorm(wave(graph, [4, 8]), wave(graph, [8]), 1e-6),
  LayerNormalization: (graph) => layerNorm(wave(graph, [4, 8]), { scale: wave(graph, [8]), epsilon: 1e-6 }),
  RotaryEmbedding: (graph) => {
    const positions = constantData(graph, tensorData('int64', [1, 3], [0, 1, 2]));
    return rope(wave(graph, [1, 2, 3, 8]), positions, { cos: wave(graph, [3, 4]), sin: wave(graph, [3, 4]) });
  },
  Attention: (graph) => {
    const [k, v] = [wave(graph, [1, 1, 1, 8]), wave(graph, [1, 1, 1, 8])];
    const past = { pastK: wave(graph, [1, 1, 3, 8]), pastV: wave(graph, [1, 1, 3, 8]) };
    return cachedAttention(wave(graph, [1, 2, 1, 8]), { k, v, ...past }).y;
  },
} satisfies Kernels;

/** Largest difference from the definition that rounding explains, with values of some units. */
const tolerance = 1e-4;

export async function kernelFinding(runtime: Runtime, target: Target, tried: Kernels = kernels): Promise<Finding> {
  const results: { kernel: string; problem: string | null }[] = [];
  for (const [kernel, build] of Object.entries(tried)) {
    try {
      const [fused, defined] = [await values(runtime, target, build), await values(runtime, 'reference', build)];
      const worst = defined.reduce((most, value, i) => Math.max(most, Math.abs(value - (fused[i] ?? Number.NaN))), 0);
      results.push({ kernel, problem: worst < tolerance ? null : `differs from its definition by ${worst}` });
    } catch (error) {
      results.push({ kernel, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  const broken = results.filter(({ problem }) => problem !== null);
  return {
    name: 'kernels',
    state: broken.length === 0 ? 'ok' : 'failed',
    text:
      broken.length === 0
        ? `${target}: ${results.map(({ kernel }) => kernel).join(', ')}`
        : `${target}: ${broken.map(({ kernel, problem }) => `${kernel} ${problem}`).join('; ')}`,
    details: results,
  };
}

async function values(runtime: Runtime, target: Target, build: (graph: Graph) => Tensor): Promise<readonly number[]> {
  const graph = createGraph({ target });
  output('y', build(graph));
  await using session = await runtime.load(compile(graph));
  const { y } = await session.run<'y'>({});
  return toNumbers(y);
}
