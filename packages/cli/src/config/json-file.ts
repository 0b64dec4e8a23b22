/** A JSON file of the program's own, which is there whole or not at all. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cliErrors } from '../errors.ts';

/** What the file holds; undefined when there is none. Throws GVU_CLI_FILE. */
export async function readJsonFile(path: string): Promise<unknown> {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw cliErrors.error('GVU_CLI_FILE', `'${path}' cannot be read.`, { hint: 'Use another folder.', cause });
  }
}

/** Throws GVU_CLI_FILE. */
export async function writeJsonFile(path: string, content: object): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.tmp`, `${JSON.stringify(content, undefined, 2)}\n`);
    await rename(`${path}.tmp`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.error('GVU_CLI_FILE', `'${path}' cannot be written: ${why}.`, { cause });
  }
}
