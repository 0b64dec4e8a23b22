/** The keys of a JSON Schema as a list for people: what `gvu config` and `gvu plugins show` print. */
import { isRecord } from '@gvu/core';

export interface DescribedKey {
  /** Dotted; `[]` stands for every item of a list. */
  readonly key: string;
  readonly type: string;
  /** As JSON; undefined when there is none. */
  readonly default: string | undefined;
  readonly description: string;
}

/** All keys below a schema of an object, recursively, in their order. */
export function describeSchema(schema: unknown, prefix = ''): readonly DescribedKey[] {
  const properties = isRecord(schema) && isRecord(schema.properties) ? schema.properties : {};
  const required = isRecord(schema) && Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(properties).flatMap(([name, property]): readonly DescribedKey[] => {
    if (!isRecord(property)) return [];
    const key = `${prefix}${name}`;
    const own = {
      key,
      type: typeOf(property),
      default:
        'default' in property ? JSON.stringify(property.default) : required.includes(name) ? 'required' : undefined,
      description: typeof property.description === 'string' ? property.description : '',
    };
    const below = isRecord(property.properties)
      ? describeSchema(property, `${key}.`)
      : describeSchema(property.items, `${key}[].`);
    return [own, ...below];
  });
}

/** Rows for `textTable`. */
export function keyRows(keys: readonly DescribedKey[]): readonly (readonly string[])[] {
  const rows = keys.map(({ key, type, default: value, description }) => [key, type, value ?? '', description]);
  return rows.length === 0 ? [] : [['key', 'type', 'default', ''], ...rows];
}

function typeOf(schema: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives))
    return alternatives.map((item) => (isRecord(item) ? typeOf(item) : 'any')).join(' | ');
  if (schema.type === 'array') return `${isRecord(schema.items) ? typeOf(schema.items) : 'any'}[]`;
  const name = [schema.type ?? 'any'].flat().join(' | ');
  const limits = [
    ...(schema.minimum !== undefined ? [`>= ${schema.minimum}`] : []),
    ...(schema.exclusiveMinimum !== undefined ? [`> ${schema.exclusiveMinimum}`] : []),
    ...(typeof schema.maximum === 'number' && schema.maximum < 2 ** 31 - 1 ? [`<= ${schema.maximum}`] : []),
    ...(schema.exclusiveMaximum !== undefined ? [`< ${schema.exclusiveMaximum}`] : []),
  ];
  return [name, ...limits].join(' ');
}
