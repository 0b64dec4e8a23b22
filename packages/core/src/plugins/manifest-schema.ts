/**
 * The JSON Schema of a plugin's package.json, as far as GvU reads it. `docs/reference/plugin-manifest.md` is held to it.
 *
 * The schema here knows no kinds. A host adds those that were registered, each with the schema of its entries, so that
 * the whole manifest is judged at once and one schema serves validation, editors and documentation.
 */
import type { FromSchema, JSONSchema } from 'json-schema-to-ts';
import type { ContributionKind } from './contribution-point.ts';

const entryProperties = {
  id: {
    description: 'Name of the contribution, unique among the contributions of its kind.',
    type: 'string',
    pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
  },
  description: {
    description: 'What it is, in one sentence for people who choose among contributions.',
    type: 'string',
  },
  options: {
    description:
      'Path of the JSON Schema (2020-12) of its options, inside the package. Without it there are no options.',
    type: 'string',
  },
} as const satisfies Record<string, JSONSchema>;

const baseSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'package.json of a GvU plugin',
  type: 'object',
  properties: {
    name: { description: 'Name of the package; it names the plugin everywhere.', type: 'string', minLength: 1 },
    version: { description: 'Version of the plugin.', type: 'string', minLength: 1 },
    gvu: {
      description: 'What makes the package a plugin.',
      type: 'object',
      properties: {
        api: {
          description: 'Range of plugin-API versions that the plugin works with, such as `^1.3`. It must have an end.',
          type: 'string',
        },
        entry: {
          description: 'Path of the module, inside the package, whose default export `definePlugin` made.',
          type: 'string',
        },
        source: {
          description: 'Path of the TypeScript source of `entry`, used while GvU itself runs from source.',
          type: 'string',
        },
        contributes: {
          description: 'What the plugin adds: for each kind a list of contributions.',
          type: 'object',
          additionalProperties: {
            description: 'The contributions of one kind. The package that owns the kind defines what more they say.',
            type: 'array',
            items: { type: 'object', properties: entryProperties, required: ['id'] },
          },
        },
        dependsOn: {
          description: 'Names of plugins that must be set up before this one.',
          type: 'array',
          items: { type: 'string' },
          uniqueItems: true,
          default: [],
        },
        requires: {
          description: 'What the machine or the host must have: for each kind of requirement a list of names.',
          type: 'object',
          properties: {
            optional: {
              description: 'If true, what is missing only causes a warning.',
              type: 'boolean',
              default: false,
            },
          },
          additionalProperties: {
            description: 'Names of what is required, as the package that can check them defines.',
            type: 'array',
            items: { type: 'string' },
            minItems: 1,
          },
          default: {},
        },
      },
      required: ['api', 'entry', 'contributes'],
      additionalProperties: false,
    },
  },
  required: ['name', 'version', 'gvu'],
} as const satisfies JSONSchema;

/** A package.json that fits the schema; entries of `contributes` also hold what their kind defines. */
export type PluginPackage = FromSchema<typeof baseSchema>;

/** The JSON Schema of manifests for a host with these kinds. */
export function pluginManifestSchema(kinds: Iterable<ContributionKind>): Exclude<JSONSchema, boolean> {
  const lists: Record<string, JSONSchema> = {};
  for (const { kind, description, entrySchema } of kinds) {
    const properties = { ...entryProperties, ...entrySchema.properties };
    const required = ['id', ...(entrySchema.required ?? [])];
    lists[kind] = {
      description,
      type: 'array',
      items: { type: 'object', properties, required, additionalProperties: false },
    };
  }
  const { gvu } = baseSchema.properties;
  const contributes = { ...gvu.properties.contributes, properties: lists };
  const properties = { ...gvu.properties, contributes };
  return { ...baseSchema, properties: { ...baseSchema.properties, gvu: { ...gvu, properties } } };
}
