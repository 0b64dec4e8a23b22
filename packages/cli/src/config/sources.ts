/**
 * The configuration of a run from everything that has a say in it: defaults < preset < file < flags < --set. Later ones win.
 * The result fits the schema of runs; the options of contributions are judged when the plugins are loaded (`resolve-parts.ts`).
 */
import { readFile } from 'node:fs/promises';
import { coreErrors, isRecord, type JsonValue } from '@gvu/core';
import { type RunConfig, runConfig } from '@gvu/rl';
import { cliErrors } from '../errors.ts';
import { flagAssignments } from './flags.ts';
import { assign, type JsonObject, mergeConfig, parseAssignment } from './merge.ts';
import { readPreset } from './presets.ts';

export interface ConfigSources {
  readonly preset?: string | undefined;
  /** A JSON file. */
  readonly file?: string | undefined;
  /** Options of the command line, as commander gives them. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  /** `key.path=value`, in their order. */
  readonly set?: readonly string[] | undefined;
}

/** Throws GVU_CONFIG_INVALID with every problem, GVU_CLI_FILE, GVU_CLI_USAGE. */
export async function resolveConfig(sources: ConfigSources): Promise<RunConfig> {
  const { preset, file, flags = {}, set = [] } = sources;
  let config = plain(runConfig.parse({}, { source: 'Nothing' }));
  if (preset !== undefined) config = mergeConfig(config, (await readPreset(preset)).config);
  if (file !== undefined) config = mergeConfig(config, await readConfigFile(file));
  for (const assignment of [...flagAssignments(flags), ...set.map(parseAssignment)])
    config = assign(config, assignment);
  return runConfig.parse(config, { source: sourceName(sources) });
}

/** The content of a configuration file. Throws GVU_CLI_FILE, GVU_CONFIG_INVALID. */
export async function readConfigFile(file: string): Promise<JsonObject> {
  let content: unknown;
  try {
    // Editors on Windows begin files with a byte order mark.
    content = JSON.parse((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.error('GVU_CLI_FILE', `The configuration '${file}' cannot be read: ${why}.`, {
      hint: 'Give a file of JSON; `gvu config` lists the keys.',
      cause,
    });
  }
  if (!isRecord(content)) {
    throw coreErrors.error('GVU_CONFIG_INVALID', `'${file}' has 1 problem.\n  (the whole) must be an object.`);
  }
  return plain(content);
}

function sourceName({ preset, file, flags = {}, set = [] }: ConfigSources): string {
  const parts = [
    preset === undefined ? [] : [`preset ${preset}`],
    file === undefined ? [] : [`'${file}'`],
    flagAssignments(flags).length > 0 || set.length > 0 ? ['the command line'] : [],
  ].flat();
  return parts.length === 0 ? 'The configuration' : `The configuration (${parts.join(', ')})`;
}

/** A configuration as the JSON that it is. */
export function plain(config: object): JsonObject {
  const copy: JsonValue = JSON.parse(JSON.stringify(config));
  return isRecord(copy) ? (copy as JsonObject) : {};
}
