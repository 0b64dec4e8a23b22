export { type CheckOptions, checkGradients, type GradientError, type RandomInput } from './autodiff/check.ts';
export { checkpoint } from './autodiff/checkpoint.ts';
export { type GradientRule, gradients } from './autodiff/grad.ts';
export { compile } from './codec/encode.ts';
export { fileProgram } from './codec/file-program.ts';
export { type ImportOptions, importModel } from './codec/import-model.ts';
export { type DescribedValue, type ModelDescription, type OperatorCount, readModel } from './codec/read-model.ts';
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
export { cudaProblems } from './lowering/kernels.ts';
export * from './ops/activations.ts';
export * from './ops/arithmetic.ts';
export {
  type AttentionOptions,
  attention,
  cachedAttention,
  causalMask,
  type KeysAndValues,
  paddingMask,
} from './ops/attention.ts';
export * from './ops/control.ts';
export { type ConvOptions, conv, convTranspose } from './ops/convolution.ts';
export { erf } from './ops/erf.ts';
export * from './ops/linear.ts';
export { type CrossEntropyOptions, crossEntropy, entropy, klDivergence, tokenLogProb } from './ops/losses.ts';
export * from './ops/movement.ts';
export {
  batchNorm,
  groupNorm,
  l2Normalise,
  layerNorm,
  type NormOptions,
  rmsNorm,
} from './ops/norms.ts';
export { avgPool, maxPool, type PoolOptions } from './ops/pooling.ts';
export { pixelShuffle, pixelUnshuffle, resizeBilinear, resizeNearest } from './ops/resize.ts';
export { type RopeOptions, type RopeTables, rope } from './ops/rope.ts';
export type { Program, ProgramMemory, ValueSpec } from './runtime/program.ts';
export type { Backend, Device, Use } from './runtime/protocol.ts';
export type { RunOptions } from './runtime/run-request.ts';
export {
  type LoadOptions,
  Runtime,
  type RuntimeInfo,
  type RuntimeMemory,
  type RuntimeOptions,
} from './runtime/runtime.ts';
export type { TransferOptions } from './runtime/send-tensors.ts';
export type { Session } from './runtime/session.ts';
export type { CachedSession } from './runtime/session-cache.ts';
export type { VariableInit, Variables } from './runtime/variables.ts';
export { type Checkpoint, openCheckpoint } from './safetensors/checkpoint.ts';
export { resolveInside } from './safetensors/checkpoint-files.ts';
export { type ExternalDataLayout, externalDataLayout } from './safetensors/external-data.ts';
export type { FileDType } from './safetensors/format.ts';
export type { SafetensorsEntry } from './safetensors/header.ts';
export { openSafetensors, readTensor, readTensors, type SafetensorsFile } from './safetensors/reader.ts';
export { encodeSafetensors, type Metadata, type NamedTensors, writeSafetensors } from './safetensors/writer.ts';
export { type DecoderState, type Generated, type GenerateOptions, generate } from './sampling/generate.ts';
export { type Guidance, guide } from './sampling/guidance.ts';
export { type Draw, drawToken, exactSampler, type SamplerOptions } from './sampling/sampler.ts';
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
export { type AdamWOptions, adamw, adamwDefaults, biasCorrections, clipByGlobalNorm } from './training/adamw.ts';
export {
  type FlatEntry,
  type FlatLayout,
  flatSize,
  flatten,
  packFlat,
  unflatten,
  unpackFlat,
} from './training/flat.ts';
export {
  initialLora,
  isTarget,
  type LoraModule,
  type LoraOptions,
  loraEmbedding,
  loraLayout,
  loraLinear,
  loraNames,
} from './training/lora.ts';
export { type LoraAdapter, readAdapter, type WriteAdapterOptions, writeAdapter } from './training/peft.ts';
