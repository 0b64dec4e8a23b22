/** Finds the files that a model keeps its weights in: by names that stay inside one directory, with all that is said to be there. */
import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { GraphProto } from 'onnx-buf';
import { onnxErrors } from '../../errors.ts';
import { belongsTo, isLocalName } from '../../safetensors/checkpoint-files.ts';
import { tensorProtos } from '../parse.ts';
import { storedTensor } from '../tensor-proto.ts';

/** The real path of each file, by the name that the model has for it. */
export type ExternalFiles = ReadonlyMap<string, string>;

/** Throws GVU_MODEL_FILES with every file that is missing, too short, or outside of `folder`. */
export function resolveExternalFiles(graph: GraphProto, folder: string | undefined): ExternalFiles {
  const files = new Map<string, string>();
  const needed = neededBytes(graph);
  if (needed.size === 0) return files;
  if (folder === undefined)
    throw unusable(`It keeps them in ${[...needed.keys()].map((name) => `'${name}'`).join(', ')}.`, {
      hint: 'Give the folder that holds these files.',
    });

  const root = realPath(folder);
  if (root === undefined)
    throw unusable(`There is no folder '${folder}'.`, { hint: 'Give the folder that the model lies in.' });
  const problems: string[] = [];
  for (const [name, bytes] of needed) {
    const target = isLocalName(name) ? realPath(join(root, name)) : undefined;
    const status = target === undefined ? undefined : statSync(target, { throwIfNoEntry: false });
    if (!isLocalName(name)) problems.push(`'${name}' is no name of a file below the folder.`);
    else if (target === undefined || !status?.isFile()) problems.push(`'${name}' is no file in '${root}'.`);
    else if (!belongsTo(root, target)) problems.push(`'${name}' is a link to '${target}', outside the folder.`);
    else if (status.size < bytes) problems.push(`'${name}' has ${status.size} bytes, ${bytes} are needed.`);
    else files.set(name, target);
  }
  if (problems.length > 0)
    throw unusable(problems.join(' '), {
      hint: 'Put the weight files of the model into its folder, complete.',
      details: { problems },
    });
  return files;
}

/** How far each file has to reach. */
function neededBytes(graph: GraphProto): ReadonlyMap<string, number> {
  const ends = new Map<string, number>();
  for (const proto of tensorProtos(graph)) {
    if (proto.externalData.length === 0) continue;
    const stored = storedTensor(proto);
    if (stored.kind !== 'external') continue;
    ends.set(stored.location, Math.max(ends.get(stored.location) ?? 0, stored.offset + stored.length));
  }
  return ends;
}

/** Undefined when nothing is there, or nothing that may be looked at. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function unusable(what: string, options: { hint: string; details?: { problems: readonly string[] } }): Error {
  return onnxErrors.error('GVU_MODEL_FILES', `The model’s weight files cannot be used. ${what}`, options);
}
