/**
 * The files that a manifest names: the module to import and the schemas of options.
 *
 * They take a manifest that need not fit its schema, so that what is wrong with its files is reported along with what is
 * wrong with its shape. Every file must lie inside the package. Schemas are compiled here; no module is run.
 */
import { readFile } from 'node:fs/promises';
import { type Config, compileConfig } from '../config.ts';
import { coreErrors } from '../core-errors.ts';
import type { GvuError } from '../errors.ts';
import { childPointer, isRecord } from '../json-value.ts';
import { describeThrown } from '../thrown.ts';
import { fileInside } from './locate.ts';

/** While this package itself runs from source, so do the plugins that have their source beside their entry. */
const runsFromSource = import.meta.url.endsWith('.ts');

/** The options of a contribution that names no schema. */
export const noOptions = compileConfig(
  { type: 'object', additionalProperties: false },
  { source: 'The schema of no options' },
);

/** The module to import. Every path is held to the package, also the one that is not used now. */
export async function findEntry(
  directory: string,
  gvu: Readonly<Record<string, unknown>>,
): Promise<{ file?: string; problems: GvuError[] }> {
  const used = runsFromSource && gvu.source !== undefined ? 'source' : 'entry';
  const problems: GvuError[] = [];
  let file: string | undefined;
  for (const key of ['entry', 'source']) {
    const path = gvu[key];
    if (typeof path !== 'string') continue;
    const found = await fileInside(directory, path);
    if ('file' in found) {
      if (key === used) file = found.file;
    } else if (found.refused === 'escape') {
      problems.push(coreErrors.error('GVU_PLUGIN_PATH_ESCAPE', `/gvu/${key} ${found.why}`));
    } else if (key === used) {
      problems.push(
        coreErrors.error('GVU_PLUGIN_ENTRY_MISSING', `/gvu/${key} ${found.why}`, {
          hint: 'Build the plugin, or install it again if its author has to.',
        }),
      );
    }
  }
  return file === undefined ? { problems } : { file, problems };
}

/** The schemas of options, by the pointers of the entries that name them. */
export async function compileOptions(
  directory: string,
  contributes: Readonly<Record<string, unknown>>,
): Promise<{ byPointer: Map<string, Config<unknown>>; problems: GvuError[] }> {
  const byPointer = new Map<string, Config<unknown>>();
  const problems: GvuError[] = [];
  for (const { pointer, entry } of entriesOf(contributes)) {
    if (typeof entry.options !== 'string') continue;
    const found = await fileInside(directory, entry.options);
    if ('file' in found) {
      try {
        byPointer.set(pointer, await readOptionsSchema(found.file));
      } catch (cause) {
        const why = `${pointer}/options names ${entry.options}, which cannot be used: ${describeThrown(cause)}`;
        problems.push(coreErrors.error('GVU_PLUGIN_OPTIONS_SCHEMA', why, { cause }));
      }
    } else {
      const code = found.refused === 'escape' ? 'GVU_PLUGIN_PATH_ESCAPE' : 'GVU_PLUGIN_OPTIONS_SCHEMA';
      problems.push(coreErrors.error(code, `${pointer}/options ${found.why}`));
    }
  }
  return { byPointer, problems };
}

async function readOptionsSchema(file: string): Promise<Config<unknown>> {
  const schema: unknown = JSON.parse(await readFile(file, 'utf8'));
  const config = compileConfig(schema, { source: file });
  const closed = isRecord(schema) && [schema.additionalProperties, schema.unevaluatedProperties].includes(false);
  if (!closed || schema.type !== 'object') {
    throw new Error(
      'it must say "type": "object" and "additionalProperties": false, so that a misspelt option is noticed.',
    );
  }
  return config;
}

/** The entries of `contributes` that are objects, with their JSON pointers in package.json. */
export function entriesOf(
  contributes: Readonly<Record<string, unknown>>,
): { kind: string; pointer: string; entry: Record<string, unknown> }[] {
  return Object.entries(contributes).flatMap(([kind, entries]) => {
    const list: unknown[] = Array.isArray(entries) ? entries : [];
    const pointer = childPointer('/gvu/contributes', kind);
    return list.flatMap((entry, i) => (isRecord(entry) ? [{ kind, pointer: childPointer(pointer, i), entry }] : []));
  });
}
