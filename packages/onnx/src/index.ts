export { type GradientRule, gradients } from './autodiff/grad.ts';
export { compile } from './codec/encode.ts';
export { type DType, type DTypeArrays, dtypes, type FloatDType, type TensorArray } from './dtype.ts';
export { onnxErrors } from './errors.ts';
export {
  type Block,
  constant,
  constantData,
  createGraph,
  DYNAMIC,
  type FileRegion,
  type Graph,
  input,
  type Node,
  output,
  scope,
  type Target,
  type Tensor,
  type TensorType,
  weight,
} from './graph/graph.ts';
export { printGraph } from './graph/print.ts';
export type { OpAttributes, OpName } from './graph/specs.ts';
export { graphProblems, verify } from './graph/verify.ts';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts';
export * from './ops/activations.ts';
export * from './ops/arithmetic.ts';
export * from './ops/control.ts';
export * from './ops/linear.ts';
export * from './ops/movement.ts';
export type { Program, ValueSpec } from './runtime/program.ts';
export { type Checkpoint, openCheckpoint } from './safetensors/checkpoint.ts';
export { type ExternalDataLayout, externalDataLayout } from './safetensors/external-data.ts';
export type { FileDType } from './safetensors/format.ts';
export type { SafetensorsEntry } from './safetensors/header.ts';
export { openSafetensors, readTensor, readTensors, type SafetensorsFile } from './safetensors/reader.ts';
export { encodeSafetensors, type Metadata, type NamedTensors, writeSafetensors } from './safetensors/writer.ts';
export {
  checkTensorData,
  sizeOf,
  type TensorData,
  type TensorDataFor,
  type TensorDataOf,
  tensorBytes,
  tensorData,
  tensorFromBuffer,
  toNumbers,
} from './tensor-data.ts';
