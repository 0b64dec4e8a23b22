/**
 * Where ONNX Runtime finds weights that stay in their files: one folder for a whole model, and a location per file.
 *
 * What onnxruntime 1.30 accepts for a model loaded from memory (each line is a test in `test/external-data.test.ts`):
 * any byte offset, also odd ones; several files, in subfolders; any Unicode name. It refuses an absolute location, a
 * location that leaves the folder by `..`, and a symbolic link whose target lies outside the folder. It also fails on a
 * tensor of no bytes: those must be embedded in the model. Hence the rule: real paths only, and the folder is their
 * nearest common ancestor.
 *
 * The session maps the files into memory. Replacing or deleting a file is harmless while a session lives; changing it in
 * place changes the weights, and shortening it kills the process (SIGBUS).
 */
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { onnxErrors } from '../errors.ts';

export interface ExternalDataLayout {
  /** Absolute, for `session.model_external_initializers_file_folder_path`; empty when there is no file. */
  readonly folder: string;
  /** The `location` of each file, relative to the folder, with `/` between its parts. */
  readonly locations: ReadonlyMap<string, string>;
}

/**
 * The layout for these files, which must be absolute paths without symbolic links (`openSafetensors` and `openCheckpoint`
 * give such). Touches no disk. Throws GVU_EXTERNAL_DATA for a relative path, or when no folder holds all of them.
 */
export function externalDataLayout(files: readonly string[]): ExternalDataLayout {
  const [first, ...rest] = files;
  if (first === undefined) return { folder: '', locations: new Map() };
  const relatives = files.filter((file) => !isAbsolute(file));
  if (relatives.length > 0)
    throw onnxErrors.error('GVU_EXTERNAL_DATA', `Not absolute: ${relatives.map((file) => `'${file}'`).join(', ')}.`, {
      hint: 'Resolve the paths of weight files before a model refers to them.',
    });
  const folder = rest.reduce((ancestor, file) => commonAncestor(ancestor, dirname(file)), dirname(join(first)));
  return { folder, locations: new Map(files.map((file) => [file, relative(folder, file).split(sep).join('/')])) };
}

function commonAncestor(a: string, b: string): string {
  let ancestor = a;
  while (leaves(relative(ancestor, b))) {
    const parent = dirname(ancestor);
    if (parent === ancestor)
      throw onnxErrors.error('GVU_EXTERNAL_DATA', `No folder holds both '${a}' and '${b}'.`, {
        hint: 'Put the weight files of one model on one drive.',
      });
    ancestor = parent;
  }
  return ancestor;
}

/** Whether a relative path leads out of the folder it starts from; on Windows also to another drive. */
function leaves(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path);
}
