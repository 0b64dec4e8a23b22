/**
 * Putting a configuration together from several sources, each of which overrides those before it. Pure, and without any knowledge of
 * what the keys mean, but for one rule: a source that names another contribution (`use`) leaves the options of the former one behind.
 */
import { isRecord, type JsonValue } from '@gvu/core';
import { cliErrors } from '../errors.ts';

export type JsonObject = { readonly [key: string]: JsonValue };

/** Objects are merged key by key; everything else, lists too, is replaced as a whole. */
export function mergeConfig(base: JsonObject, over: JsonObject): JsonObject {
  const other = typeof over.use === 'string' && over.use !== base.use;
  const start: JsonObject = other && 'options' in base ? { ...base, options: {} } : base;
  const merged = Object.entries(over).map(([key, value]): [string, JsonValue] => {
    const before = Object.hasOwn(start, key) ? start[key] : undefined;
    return [key, isObject(before) && isObject(value) ? mergeConfig(before, value) : value];
  });
  return Object.fromEntries([...Object.entries(start), ...merged]);
}

/** An assignment of the command line: where, and what. */
export interface Assignment {
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/**
 * Reads `key.path=value`. The value is JSON where it is that, and otherwise text: `steps=50`, `schedule=cosine`, `rewards=[{"use":"gvu"}]`.
 * Throws GVU_CLI_USAGE.
 */
export function parseAssignment(text: string): Assignment {
  const at = text.indexOf('=');
  const path = text.slice(0, at).split('.');
  if (at <= 0 || path.some((key) => key === '' || key === '__proto__')) {
    throw cliErrors.error('GVU_CLI_USAGE', `--set ${JSON.stringify(text)} is not of the form key.path=value.`, {
      hint: 'Write for example --set optimiser.beta2=0.95; `gvu config` lists all keys.',
    });
  }
  return { path, value: looseJson(text.slice(at + 1)) };
}

/** JSON, or the text itself. */
export function looseJson(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A part of the configuration as the command line gives it: an id, or JSON `{ use, options }`. */
export function partOf(text: string): JsonObject {
  const value = looseJson(text);
  return isObject(value) ? value : { use: text };
}

/** The configuration with one value changed. A number in the path is a place in a list. */
export function assign(base: JsonObject, { path, value }: Assignment): JsonObject {
  const [key, ...rest] = path;
  if (key === undefined) return base;
  const index = Number(rest[0]);
  const before = base[key];
  if (Array.isArray(before) && Number.isInteger(index) && index >= 0 && index <= before.length) {
    const items: JsonValue[] = [...before];
    const item = items[index];
    items[index] = rest.length === 1 ? value : assign(isObject(item) ? item : {}, { path: rest.slice(1), value });
    return { ...base, [key]: items };
  }
  const changed = rest.length === 0 ? value : assign(isObject(before) ? before : {}, { path: rest, value });
  return mergeConfig(base, { [key]: changed });
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return isRecord(value);
}
