/**
 * A program: what a graph compiles to and what the runtime loads. It is the whole contract between the two: ONNX bytes, and
 * what goes in and comes out; nothing of how the graph was built. It can be posted to another thread or stored.
 *
 * bfloat16 cannot enter or leave a session of onnxruntime-node 1.30 as itself ("Unsupported data type: 16"). A value that a
 * program declares as bfloat16 must therefore be uint16 in the model, the raw bits, with a `BitCast` (opset 26) behind it.
 */
import type { DType } from '../dtype.ts';

/** A floor: ONNX Runtime rounds up, and its kernels need scratch space. */
export interface ProgramMemory {
  /** Weights and constants, in files or not, as they are computed with: what a graph casts counts as what it is cast to. */
  readonly weightBytes: number;
  /** Of these, what is used as it lies in files: on the CPU all programs of a process share it. */
  readonly fileBytes: number;
  /**
   * The most that inputs and intermediate values occupy at once; in loops in their last iteration, when caches are longest. Lengths
   * that only the run knows count as 1.
   */
  readonly activationBytes: number;
}

/** An input or output of a program. */
export interface ValueSpec {
  readonly name: string;
  readonly dtype: DType;
  /** -1 = any length. */
  readonly shape: readonly number[];
}

export interface Program {
  /** For messages only. */
  readonly name: string;
  /** The ONNX model. */
  readonly model: Uint8Array;
  /** All that a run must feed: no name here has an initializer, which would be a default that ONNX Runtime never replaces. */
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  /** The folder that external weight files are named relative to. */
  readonly externalFolder?: string;
  /** What it will occupy, as far as that can be counted without running it. */
  readonly memory?: ProgramMemory;
  /** Graph optimisers of ONNX Runtime that must leave this model alone, such as `MatMulAddFusion`. */
  readonly disabledOptimizers?: readonly string[];
}

/** `float32[2, ?]` */
export function describeType({ dtype, shape }: { dtype: string; shape: readonly number[] }): string {
  return `${dtype}[${shape.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
}

/** True when `shape` is one that the spec allows, -1 being any length. */
export function fitsShape(shape: readonly number[], spec: readonly number[]): boolean {
  return shape.length === spec.length && spec.every((dim, axis) => dim < 0 || dim === shape[axis]);
}
