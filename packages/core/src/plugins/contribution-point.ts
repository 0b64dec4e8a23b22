/**
 * Contribution points: the kinds of things that plugins can add, each defined by the package that uses them.
 *
 * A point is a token that carries the types: what a factory is given and what it makes. The owner of a kind exports the
 * token (`export const backends = contributionPoint<Backend, BackendDeps>({ kind: 'backends', ... })`), registers it
 * with the host, and plugins provide factories for it. Core itself has no kinds.
 */
import type { JSONSchema } from 'json-schema-to-ts';

declare const pointTypes: unique symbol;

/** What an entry of this kind may say about itself in the manifest, besides its `id` and its `options`. */
export interface EntrySchema {
  readonly properties: Readonly<Record<string, Exclude<JSONSchema, boolean>>>;
  readonly required?: readonly string[];
}

/** What a point says to everybody, without its types. */
export interface ContributionKind {
  /** The key below `gvu.contributes` in manifests, in the plural: `backends`. */
  readonly kind: string;
  /** One sentence for people who read about the manifest. */
  readonly description: string;
  readonly entrySchema: EntrySchema;
}

export interface ContributionPoint<Instance, Deps> extends ContributionKind {
  /** Only for the type checker, never present: makes both types invariant. */
  readonly [pointTypes]?: (instance: Instance, deps: Deps) => [Instance, Deps];
}

/**
 * Makes one instance of a contribution. `options` have been validated against the schema that the manifest names, with
 * its defaults filled in, so `Options` may be the type of that schema; `deps` come from the package that owns the kind.
 * The instance belongs to the caller, who disposes of it.
 */
export type ContributionFactory<Options, Deps, Instance> = (
  options: Options,
  deps: Deps,
) => Instance | Promise<Instance>;

export function contributionPoint<Instance, Deps = undefined>(definition: {
  kind: string;
  description: string;
  entrySchema?: EntrySchema;
}): ContributionPoint<Instance, Deps> {
  return { entrySchema: { properties: {} }, ...definition };
}

/** A kind of requirement that manifests can state, defined by the package that can check it. */
export interface RequirementCheck {
  /** The key below `gvu.requires` in manifests, in the plural: `executionProviders`. */
  readonly name: string;
  /** Why this machine or this host does not have `value` and how to get it, as a sentence; undefined when it has it. */
  unmet(value: string): string | undefined | Promise<string | undefined>;
}
