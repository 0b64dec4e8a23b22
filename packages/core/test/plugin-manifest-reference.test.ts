/** Holds `docs/reference/plugin-manifest.md` to the schema: its table of keys is made of it, its example fits it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSONSchema } from 'json-schema-to-ts';
import { describe, expect, test } from 'vitest';
import { compileConfig } from '../src/config.ts';
import { apiRangeAccepts, apiRangeProblem } from '../src/plugins/api-range.ts';
import { pluginManifestSchema } from '../src/plugins/manifest-schema.ts';
import { PLUGIN_API_VERSION } from '../src/plugins/plugin-api.ts';
import { loadPhases } from '../src/plugins/report.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/plugin-manifest.md'), 'utf8');

type SchemaObject = Exclude<JSONSchema, boolean>;

const isObject = (schema: unknown): schema is SchemaObject => typeof schema === 'object' && schema !== null;

/** The rows of the table: one for each key below `schema`, in the order of the schema. */
function rows(schema: SchemaObject, path = ''): string[] {
  const items = isObject(schema.items) ? schema.items : undefined;
  if (items?.type === 'object') return rows(items, `${path}[].`);
  const named = Object.entries(schema.properties ?? {});
  const others = isObject(schema.additionalProperties) ? [['<kind>', schema.additionalProperties] as const] : [];
  return [...named, ...others].flatMap(([key, value]) => {
    if (!isObject(value)) return [];
    const itemType = isObject(value.items) ? ` of ${value.items.type}s` : '';
    const required = schema.required?.includes(key) ? 'yes' : 'no';
    const row = `| \`${path}${key}\` | ${value.type}${itemType} | ${required} | ${value.description ?? ''} |`;
    return [row, ...rows(value, value.type === 'object' ? `${path}${key}.` : `${path}${key}`)];
  });
}

describe('the reference of the plugin manifest', () => {
  test('has the table of the schema, key for key', () => {
    const table = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(table).toEqual(rows(pluginManifestSchema([])));
    expect(table.length).toBeGreaterThan(10);
  });

  test('has an example that fits the schema of a host with its kinds', () => {
    const example: unknown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
    const schema = pluginManifestSchema([
      {
        kind: 'backends',
        description: 'Models.',
        entrySchema: { properties: { capabilities: { type: 'array', items: { type: 'string' } } } },
      },
    ]);
    const parsed = compileConfig(schema, { source: 'schema' }).parse(example, { source: 'example' });
    expect(parsed).toMatchObject({ gvu: { api: expect.any(String), dependsOn: [] } });
    const range = Reflect.get(Reflect.get(Object(parsed), 'gvu'), 'api');
    expect(apiRangeProblem(range)).toBeUndefined();
    expect(apiRangeAccepts(range, PLUGIN_API_VERSION)).toBe(true);
  });

  test('names the version of the plugin API and every phase, in order', () => {
    expect(page).toContain(`\`${PLUGIN_API_VERSION}\``);
    const phases = [...page.matchAll(/^\d\. \*\*(\w+)\*\*/gm)].map(([, phase]) => phase);
    expect(phases).toEqual([...loadPhases]);
  });
});
