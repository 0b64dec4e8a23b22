/**
 * JSON values: the type, and a checked deep copy of a foreign value.
 *
 * The copy is what makes it safe to fill in defaults and to hand configuration on: it shares nothing with the input, has
 * no `__proto__` key, no getters, no class instances, and treats a property that is `undefined` as absent.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A place in a JSON document (RFC 6901 pointer, '' is the whole document) and what is wrong there. */
export interface Problem {
  readonly pointer: string;
  readonly message: string;
}

/** The pointer of a member of the value at `pointer` (RFC 6901). */
export function childPointer(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** True for an object that is not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Copies `value` as JSON; whatever is not JSON is left out (`undefined`, or null within an array) and reported. */
export function copyJson(value: unknown, problems: Problem[]): JsonValue | undefined {
  return copy(value, '', [], problems);
}

/** Far beyond any real document; keeps a hostile one from overflowing the stack. */
const maxDepth = 100;

function copy(value: unknown, pointer: string, ancestors: object[], problems: Problem[]): JsonValue | undefined {
  const reject = (message: string): undefined => {
    problems.push({ pointer, message });
    return undefined;
  };
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : reject(`must be finite, but is ${value}.`);
  if (typeof value !== 'object') {
    return value === undefined ? undefined : reject(`must be JSON, but is a ${typeof value}.`);
  }
  if (ancestors.includes(value)) return reject('must not contain itself.');
  if (ancestors.length === maxDepth) return reject(`must not be nested deeper than ${maxDepth} levels.`);
  const path = [...ancestors, value];

  if (Array.isArray(value)) {
    return Array.from(value, (item: unknown, i) => copy(item, childPointer(pointer, i), path, problems) ?? null);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    return reject(`must be a plain object, but is a ${value.constructor?.name ?? 'class instance'}.`);
  }
  const copied: { [key: string]: JsonValue } = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') {
      problems.push({ pointer: childPointer(pointer, key), message: 'is not allowed as a key.' });
      continue;
    }
    const member = copy(item, childPointer(pointer, key), path, problems);
    if (member !== undefined) copied[key] = member;
  }
  return copied;
}
