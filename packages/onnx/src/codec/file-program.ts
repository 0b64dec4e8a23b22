/**
 * An ONNX model of somebody else as a program that is run as it is, with any operator that ONNX Runtime has. `importModel` makes of it
 * nodes that can be differentiated and lowered; this is for models that are only asked.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type DType, dtypes } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import type { Program, ValueSpec } from '../runtime/program.ts';
import { resolveExternalFiles } from './import/files.ts';
import { parseModel } from './parse.ts';
import { type DescribedValue, readModel } from './read-model.ts';

/**
 * Weight files have to lie in the folder of the model. Rejects with GVU_MODEL_FILES for a file that is missing or a weight file outside the
 * folder, GVU_MODEL_BROKEN for bytes that are no model, GVU_MODEL_UNSUPPORTED for inputs or outputs that are no tensors of known rank.
 */
export async function fileProgram(path: string): Promise<Program> {
  let model: Uint8Array;
  try {
    model = await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw onnxErrors.error('GVU_MODEL_FILES', `'${path}' cannot be read: ${reason}.`, {
      hint: 'Give the path of an ONNX model.',
      cause,
    });
  }
  const { inputs, outputs, externalFiles } = readModel(model);
  const folder = dirname(path);
  resolveExternalFiles(parseModel(model).graph, folder);
  const problems: string[] = [];
  const specs = (values: readonly DescribedValue[]) =>
    values.flatMap((value): ValueSpec[] => {
      if (isDType(value.type) && value.shape) return [specOf(value.name, value.type, value.shape)];
      problems.push(`'${value.name}' is ${value.type} of ${value.shape ? 'this rank' : 'unknown rank'}`);
      return [];
    });
  const program = {
    name: basename(path),
    model,
    inputs: specs(inputs),
    outputs: specs(outputs),
    ...(externalFiles.length > 0 && { externalFolder: folder }),
  };
  if (problems.length === 0) return program;
  throw onnxErrors.error('GVU_MODEL_UNSUPPORTED', `'${path}' cannot be run: ${problems.join('; ')}.`, {
    hint: 'Export the model with tensors for inputs and outputs, and with their shapes.',
    details: { problems },
  });
}

function specOf(name: string, dtype: DType, shape: readonly (number | string)[]): ValueSpec {
  return { name, dtype, shape: shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1)) };
}

function isDType(type: string): type is DType {
  return Object.hasOwn(dtypes, type);
}
