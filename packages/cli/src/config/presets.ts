/** Configurations that come with GvU, each with a sentence on what it is for. They are data: `src/presets/*.json`. */
import { readdir, readFile } from 'node:fs/promises';
import { defineConfig, didYouMeanHint, type JsonValue } from '@gvu/core';
import { cliErrors } from '../errors.ts';
import type { JsonObject } from './merge.ts';

export interface Preset {
  readonly name: string;
  readonly description: string;
  readonly config: JsonObject;
}

const presetFile = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['description', 'config'],
  properties: { description: { type: 'string' }, config: { type: 'object' } },
});

// Also the compiled program reads them from the sources, which are part of the package.
const folder = new URL('../../src/presets/', import.meta.url);

/** Throws GVU_CLI_USAGE for a preset that there is not. */
export async function readPreset(name: string): Promise<Preset> {
  const names = await presetNames();
  if (!names.includes(name)) {
    throw cliErrors.error('GVU_CLI_USAGE', `There is no preset ${JSON.stringify(name)}.`, {
      hint: `There are ${names.join(', ')}.${didYouMeanHint(name, names)}`,
    });
  }
  const content: unknown = JSON.parse(await readFile(new URL(`${name}.json`, folder), 'utf8'));
  const { description, config } = presetFile.parse(content, { source: `The preset ${name}` });
  // JSON.parse made it.
  return { name, description, config: config as { [key: string]: JsonValue } };
}

export async function presetNames(): Promise<readonly string[]> {
  const files = await readdir(folder);
  return files.flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])).sort();
}
