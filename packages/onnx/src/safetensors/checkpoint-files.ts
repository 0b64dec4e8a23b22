/**
 * Which files on disk a checkpoint consists of, and which it may not.
 *
 * A checkpoint directory is data from elsewhere, so it must not name files outside itself. Symbolic links are followed to
 * their real path, and that must lie inside the directory. There is one exception, the cache of Hugging Face, whose
 * snapshots are all links: from below `models--<repository>/snapshots/<revision>/` a link may lead to a file directly in
 * `models--<repository>/blobs/` of the same repository. The directory itself may be reached through links: whoever opens
 * it has named it. So may a single file opened by its own path.
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, posix, relative, sep, win32 } from 'node:path';
import { onnxErrors } from '../errors.ts';

/**
 * The real path of `name` in the checkpoint directory `root` (itself a real path); undefined when there is no such file.
 * Throws GVU_CHECKPOINT_LINK when a link leads out of the checkpoint, GVU_SAFETENSORS_READ when it cannot be followed.
 */
export async function resolveInside(root: string, name: string): Promise<string | undefined> {
  const path = join(root, name);
  const target = await realpath(path).catch((error: unknown) => undefinedIfMissing(path, error));
  if (target === undefined || belongsTo(root, target)) return target;
  throw onnxErrors.error('GVU_CHECKPOINT_LINK', `'${path}' is a link to '${target}', outside the checkpoint.`, {
    hint: 'Copy the file into the checkpoint, or open the directory that holds it.',
    details: { file: path, target },
  });
}

/** Whether a real path is one that the checkpoint directory `root` may lead to. */
export function belongsTo(root: string, target: string): boolean {
  return isInside(root, target) || isBlobOf(root, target);
}

/** Whether a name in an index stays below the directory of the index on every platform. */
export function isLocalName(name: string): boolean {
  const isRooted = posix.isAbsolute(name) || win32.isAbsolute(name) || /^[a-z]:/i.test(name);
  return name !== '' && !name.includes('\0') && !isRooted && !name.split(/[/\\]/).includes('..');
}

function isInside(root: string, target: string): boolean {
  const path = relative(root, target);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

function isBlobOf(root: string, target: string): boolean {
  for (let revision = root; dirname(revision) !== revision; revision = dirname(revision)) {
    const snapshots = dirname(revision);
    const repository = dirname(snapshots);
    if (basename(snapshots) === 'snapshots' && basename(repository).startsWith('models--'))
      return dirname(target) === join(repository, 'blobs');
  }
  return false;
}

/** What is not there, or hangs from a broken link, is undefined; anything else is an error. */
function undefinedIfMissing(path: string, error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw onnxErrors.error('GVU_SAFETENSORS_READ', `'${path}' cannot be read: ${String(error)}.`, {
    hint: 'Check the permissions of its directories and where its links lead.',
    cause: error,
    details: { file: path },
  });
}
