/**
 * Low-rank adapters (LoRA, Hu et al. 2021) on linear layers and embedding tables: y = W x + (alpha / r) B A x. A and B are inputs
 * of the program, so an adapter is switched off (zeros), on or exchanged by feeding other values: nothing is recompiled.
 *
 * Names and layouts are those of PEFT 0.17+, so that files go both ways. Not covered: DoRA, rsLoRA, biases, dropout.
 */
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { add } from '../ops/arithmetic.ts';
import { gemm } from '../ops/linear.ts';
import { gather, reshape, transpose } from '../ops/movement.ts';
import type { FlatLayout } from './flat.ts';

export interface LoraOptions {
  readonly rank: number;
  /** The adapter's part is scaled by alpha / rank. */
  readonly alpha: number;
  /** Last parts of the names of the modules to adapt, such as `q_proj`; or whole names. */
  readonly targets: readonly string[];
}

/** A module that can carry an adapter. `in` and `out` are the features of a linear layer; of an embedding the rows and the width. */
export interface LoraModule {
  readonly name: string;
  readonly kind: 'linear' | 'embedding';
  readonly in: number;
  readonly out: number;
}

/** Whether PEFT would adapt a module of this name: a target is its whole name or its last dotted parts. */
export function isTarget(name: string, targets: readonly string[]): boolean {
  return targets.some((target) => name === target || name.endsWith(`.${target}`));
}

/** Names of the two matrices of a module's adapter, as in PEFT's files without their `base_model.model.` prefix. */
export function loraNames({ name, kind }: Pick<LoraModule, 'name' | 'kind'>): { a: string; b: string } {
  return kind === 'linear'
    ? { a: `${name}.lora_A.weight`, b: `${name}.lora_B.weight` }
    : { a: `${name}.lora_embedding_A`, b: `${name}.lora_embedding_B` };
}

/** The tensors of an adapter over these modules: A [r, in] and B [out, r] for each target, in the order of the modules. */
export function loraLayout(modules: readonly LoraModule[], options: LoraOptions): FlatLayout {
  const adapted = modules.filter(({ name }) => isTarget(name, options.targets));
  const unmatched = options.targets.filter((target) => !modules.some(({ name }) => isTarget(name, [target])));
  if (unmatched.length > 0 || adapted.length === 0)
    throw onnxErrors.error(
      'GVU_LORA_TARGET',
      `No module is called ${unmatched.map((target) => `'${target}'`).join(', ') || 'anything in the empty list of targets'}.`,
      {
        hint: `Modules end in: ${[...new Set(modules.map(({ name }) => name.split('.').at(-1)))].join(', ')}.`,
      },
    );
  return adapted.flatMap((module) => {
    const { a, b } = loraNames(module);
    return [
      { name: a, shape: [options.rank, module.in] },
      { name: b, shape: [module.out, options.rank] },
    ];
  });
}

/** Adds a linear layer's adapter to its output: y [N, out] + scale * (x [N, in] Aᵀ) Bᵀ. */
export function loraLinear(x: Tensor, y: Tensor, adapter: { a: Tensor; b: Tensor; scale: number }): Tensor {
  const { a, b, scale } = adapter;
  return gemm(gemm(x, a, { transB: true }), b, { transB: true, alpha: scale, addend: y });
}

/** Adds an embedding's adapter to the looked-up rows: y [.., width] + scale * Aᵀ[ids] Bᵀ. */
export function loraEmbedding(ids: Tensor, y: Tensor, adapter: { a: Tensor; b: Tensor; scale: number }): Tensor {
  const { a, b, scale } = adapter;
  const rank = a.shape[0] ?? 0;
  const rows = reshape(gather(transpose(a, [1, 0]), ids), [-1, rank]);
  return add(y, reshape(gemm(rows, b, { transB: true, alpha: scale }), y.shape));
}
