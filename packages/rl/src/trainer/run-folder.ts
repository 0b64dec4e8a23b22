/**
 * The folder of a run: its resolved configuration, written once, and its event log. A folder that holds a run is continued, and only with
 * the configuration that it was begun with: everything else would be another run.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isRecord, type JsonValue, reasonOf, syncDirectory } from '@gvu/core';
import { rlErrors } from '../errors.ts';
import { type RunConfig, runConfig } from '../run/config.ts';

/** The configuration of the run in a folder; undefined when there is none. Throws GVU_RUN_CONFIG when it is damaged. */
export async function readRunConfig(folder: string): Promise<RunConfig | undefined> {
  const path = join(folder, 'config.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw rlErrors.error('GVU_RUN_CONFIG', `'${path}' cannot be read.`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw rlErrors.error('GVU_RUN_CONFIG', `'${path}' is not JSON.`, {
      hint: 'It was changed or damaged since the run began. Begin a new run in another folder.',
      cause,
    });
  }
  return runConfig.parse(json, { source: `'${path}'` });
}

/** Makes the folder, or checks that it holds a run of this configuration. Throws GVU_RUN_CONFIG with every key that differs, GVU_RUN_WRITE. */
export async function claimRunFolder(folder: string, config: RunConfig): Promise<void> {
  const existing = await readRunConfig(folder);
  if (existing) {
    const different = differences(existing, config);
    if (different.length === 0) return;
    throw rlErrors.error(
      'GVU_RUN_CONFIG',
      `'${folder}' holds a run with another configuration: ${different.join('; ')}.`,
      {
        hint: 'Continue it with its own configuration (`gvu train --resume`), or begin a new run in another folder.',
        details: { different },
      },
    );
  }
  const temporary = join(folder, '.config.json.tmp');
  try {
    await mkdir(folder, { recursive: true });
    {
      await using file = await open(temporary, 'w');
      await file.writeFile(`${JSON.stringify(config, undefined, 2)}\n`);
      await file.sync();
    }
    await rename(temporary, join(folder, 'config.json'));
    await syncDirectory(folder);
  } catch (cause) {
    throw rlErrors.error('GVU_RUN_WRITE', `The run folder '${folder}' could not be made: ${reasonOf(cause)}.`, {
      hint: 'Choose a folder that is writable, on a disk that has room.',
      cause,
    });
  }
}

/** `learningRate: 0.001 there, 0.002 here` for every key that differs. */
function differences(there: unknown, here: unknown, at = ''): string[] {
  if (isRecord(there) && isRecord(here)) {
    const keys = [...new Set([...Object.keys(there), ...Object.keys(here)])];
    return keys.flatMap((key) => differences(there[key], here[key], at ? `${at}.${key}` : key));
  }
  if (isDeepStrictEqual(there, here)) return [];
  const shown = (value: unknown) => (value === undefined ? 'absent' : JSON.stringify(value));
  return [`${at}: ${shown(there)} there, ${shown(here)} here`];
}

/** A configuration as the JSON that events carry. */
export function configJson(config: RunConfig): JsonValue {
  // It was parsed from JSON, and holds nothing else.
  return JSON.parse(JSON.stringify(config)) as JsonValue;
}
