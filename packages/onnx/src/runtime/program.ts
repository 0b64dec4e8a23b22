/** What a graph compiles to: everything that the runtime needs, and nothing of how it was built. Structured-cloneable. */
import type { DType } from '../dtype.ts';

export interface ValueSpec {
  readonly name: string;
  readonly dtype: DType;
  /** -1 = any length. */
  readonly shape: readonly number[];
}

export interface Program {
  readonly name: string;
  /** The ONNX model. */
  readonly model: Uint8Array;
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  /** The folder that external weight files are named relative to. */
  readonly externalFolder?: string;
}
