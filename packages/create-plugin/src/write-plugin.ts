/** Writes a new plugin to a directory that must not be there yet, so that nobody's work is overwritten. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createErrors } from './errors.ts';
import { type NewPlugin, pluginFiles } from './plugin-files.ts';

/** Gives the paths of the files. Throws GVU_CREATE_OPTIONS, GVU_CREATE_DIRECTORY. */
export async function writePlugin(directory: string, plugin: NewPlugin): Promise<readonly string[]> {
  const files = await pluginFiles(plugin);
  try {
    await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory);
    for (const [path, text] of files) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw createErrors.error('GVU_CREATE_DIRECTORY', `'${directory}' cannot be made: ${why}.`, {
      hint: 'Name a directory that does not exist, in a place that is writable.',
      cause,
    });
  }
  return [...files.keys()];
}
