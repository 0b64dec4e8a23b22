/**
 * Low-rank adapters (LoRA, Hu et al. 2021) on linear layers and embedding tables: y = W x + (alpha / r) B A x. A and B are
 * inputs of the program, so an adapter is switched off (zeros), on or exchanged by feeding other values: nothing is
 * recompiled.
 *
 * Names, layouts and first values are those of PEFT 0.17+ (`peft.ts` reads and writes its files). Not covered: DoRA, rsLoRA,
 * biases, dropout, other ranks for some modules.
 */
import { fillNormal, fillUniform, randomStream } from '@gvu/core';
import { onnxErrors } from '../errors.ts';
import type { Tensor } from '../graph/graph.ts';
import { add } from '../ops/arithmetic.ts';
import { gemm } from '../ops/linear.ts';
import { gather, reshape, transpose } from '../ops/movement.ts';
import { sizeOf, type TensorDataOf } from '../tensor-data.ts';
import type { FlatLayout } from './flat.ts';

export interface LoraOptions {
  /** A whole number from 1. */
  readonly rank: number;
  /** Above 0: the adapter's part is scaled by alpha / rank. */
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

/**
 * The tensors of an adapter over these modules: A [r, in] and B [out, r] for each target, in the order of the modules.
 * Throws GVU_LORA_OPTIONS, or GVU_LORA_TARGET with every target that no module matches.
 */
export function loraLayout(modules: readonly LoraModule[], options: LoraOptions): FlatLayout {
  return adapted(modules, options).flatMap((module) => {
    const { a, b } = loraNames(module);
    return [
      { name: a, shape: [options.rank, module.in] },
      { name: b, shape: [module.out, options.rank] },
    ];
  });
}

/**
 * The values that an adapter starts from, by name; together they change nothing. As in PEFT: a linear layer's A is uniform
 * within 1 / sqrt(in) (Kaiming's rule with a = sqrt(5)) and its B zero; an embedding's A is zero and its B standard normal.
 * A module's values follow from the seed and its name alone, whichever other modules are adapted. Throws as `loraLayout`.
 */
export function initialLora(
  modules: readonly LoraModule[],
  options: LoraOptions,
  seed: number,
): ReadonlyMap<string, TensorDataOf<'float32'>> {
  const { rank } = options;
  return new Map(
    adapted(modules, options).flatMap((module) => {
      const names = loraNames(module);
      const [a, b] = [zeros([rank, module.in]), zeros([module.out, rank])];
      const address = randomStream(seed, `lora/${module.name}`).at();
      if (module.kind === 'embedding') fillNormal(b.data, address);
      else {
        fillUniform(a.data, address);
        const bound = 1 / Math.sqrt(module.in);
        for (const [i, u] of a.data.entries()) a.data[i] = (2 * u - 1) * bound;
      }
      return [
        [names.a, a],
        [names.b, b],
      ];
    }),
  );
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

/** The modules that the options target, after checking both. */
function adapted(modules: readonly LoraModule[], options: LoraOptions): readonly LoraModule[] {
  const { rank, alpha, targets } = options;
  const problems = [
    ...(Number.isSafeInteger(rank) && rank >= 1 ? [] : [`rank ${rank} is not a whole number from 1`]),
    ...(alpha > 0 && Number.isFinite(alpha) ? [] : [`alpha ${alpha} is not a number above 0`]),
  ];
  if (problems.length > 0)
    throw onnxErrors.error('GVU_LORA_OPTIONS', `${problems.join('; ')}.`, {
      hint: 'Rank 8 to 64 and alpha 1 to 4 times the rank are usual.',
      details: { problems },
    });
  const unmatched = targets.filter((target) => !modules.some(({ name }) => isTarget(name, [target])));
  if (unmatched.length > 0 || targets.length === 0)
    throw onnxErrors.error(
      'GVU_LORA_TARGET',
      unmatched.length > 0
        ? `No module is called ${unmatched.map((target) => `'${target}'`).join(', ')}.`
        : 'The list of targets is empty.',
      {
        hint: `Modules end in: ${[...new Set(modules.map(({ name }) => name.split('.').at(-1)))].join(', ')}.`,
        details: { unmatched },
      },
    );
  return modules.filter(({ name }) => isTarget(name, targets));
}

function zeros(shape: readonly number[]): TensorDataOf<'float32'> {
  return { dtype: 'float32', shape, data: new Float32Array(sizeOf(shape)) };
}
