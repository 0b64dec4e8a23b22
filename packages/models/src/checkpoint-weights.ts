/**
 * Weights of a checkpoint as tensors of a graph: they stay in their files, and are cast in the graph when the computation
 * wants another dtype (bfloat16 files on a CPU, say).
 */
import {
  type Checkpoint,
  cast,
  dtypes,
  type FlatEntry,
  type FloatDType,
  type Graph,
  type Tensor,
  weight,
} from '@gvu/onnx';
import { modelErrors } from './errors.ts';

/** A source for `createModules`: the checkpoint's tensor of that name, in the dtype of the computation. */
export function checkpointWeights(
  graph: Graph,
  checkpoint: Checkpoint,
  dtype: FloatDType = 'float32',
): (name: string, shape: readonly number[]) => Tensor {
  return (name, shape) => {
    checkWeights(checkpoint, [{ name, shape }]);
    const entry = checkpoint.tensors.get(name);
    if (!entry?.dtype) throw unusable([`'${name}' is missing`]);
    const { file, offset, length } = entry;
    return cast(weight(graph, name, { dtype: entry.dtype, shape: entry.shape, file, offset, length }), dtype);
  };
}

/** Throws GVU_MODEL_WEIGHTS, naming every tensor that is missing, misshapen or not floating point. */
export function checkWeights(checkpoint: Checkpoint, expected: readonly FlatEntry[]): void {
  const problems = expected.flatMap(({ name, shape }) => {
    const entry = checkpoint.tensors.get(name);
    if (!entry) return [`'${name}' is missing`];
    if (entry.shape.join() !== shape.join())
      return [`'${name}' is [${entry.shape.join(', ')}], not [${shape.join(', ')}]`];
    return entry.dtype && dtypes[entry.dtype].float
      ? []
      : [`'${name}' is ${entry.fileDType}, which cannot be computed with`];
  });
  if (problems.length > 0) throw unusable(problems);
}

function unusable(problems: readonly string[]): Error {
  return modelErrors.error(
    'GVU_MODEL_WEIGHTS',
    `${problems.length} tensor(s) of the checkpoint cannot be used: ${problems.join('; ')}.`,
    {
      hint: 'The files belong to another model, or config.json to other files.',
      details: { problems },
    },
  );
}
