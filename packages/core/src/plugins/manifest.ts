/**
 * Reading and judging a plugin's manifest: everything that can be known about a plugin without running any of its code.
 *
 * All problems are reported together, each under the code that says whose mistake it is. Files that the manifest names
 * must lie inside the package; schemas of options are compiled here, so that a broken one is found before a run.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import { type Config, compileConfig } from '../config.ts';
import { problemLines } from '../config-problems.ts';
import { coreErrors } from '../core-errors.ts';
import { didYouMeanHint } from '../did-you-mean.ts';
import { type GvuError, isGvuError } from '../errors.ts';
import { isRecord, type Problem } from '../json-value.ts';
import { describeThrown } from '../thrown.ts';
import { apiRangeProblem } from './api-range.ts';
import type { ContributionKind } from './contribution-point.ts';
import { compileOptions, entriesOf, findEntry, noOptions } from './manifest-files.ts';
import { type PluginPackage, pluginManifestSchema } from './manifest-schema.ts';

/** A contribution as its manifest declares it. */
export interface DeclaredContribution {
  readonly kind: string;
  readonly id: string;
  /** What it is, in one sentence; empty when the manifest does not say. */
  readonly description: string;
  /** What else the entry says, in the shape that the kind's `entrySchema` defines. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly options: Config<unknown>;
}

/** A manifest without problems. */
export interface PluginManifest {
  readonly name: string;
  readonly version: string;
  readonly api: string;
  /** Real path of the module to import. */
  readonly entryFile: string;
  readonly contributions: readonly DeclaredContribution[];
  readonly dependsOn: readonly string[];
  readonly requires: { readonly optional: boolean; readonly names: readonly { kind: string; name: string }[] };
}

/**
 * Reads the package.json in `directory` and sees that it is one of a plugin; judges nothing else.
 * @throws GVU_PLUGIN_MANIFEST_MISSING, GVU_PLUGIN_MANIFEST_INVALID
 */
export async function readManifest(directory: string): Promise<Readonly<Record<string, unknown>>> {
  const file = join(directory, 'package.json');
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw coreErrors.error('GVU_PLUGIN_MANIFEST_INVALID', `${file} cannot be read: ${describeThrown(cause)}.`, {
      cause,
    });
  }
  if (isRecord(content) && 'gvu' in content) return content;
  throw coreErrors.error('GVU_PLUGIN_MANIFEST_MISSING', `${file} has no key "gvu", so the package is not a plugin.`, {
    hint: 'List only plugins; the author of a plugin declares it under "gvu".',
  });
}

/** What manifests are judged by: made once for a set of kinds. */
export interface ManifestRules {
  readonly kinds: readonly string[];
  readonly schema: Config<unknown>;
}

/** @throws GVU_CONFIG_SCHEMA when the schema of a kind's entries is broken. */
export function manifestRules(kinds: readonly ContributionKind[]): ManifestRules {
  const schema = compileConfig(pluginManifestSchema(kinds), { source: 'The schema of plugin manifests' });
  return { kinds: kinds.map(({ kind }) => kind), schema };
}

/** Judges the content of a package.json: a manifest, or every problem that it has. */
export async function checkManifest(
  directory: string,
  content: Readonly<Record<string, unknown>>,
  rules: ManifestRules,
): Promise<{ readonly manifest: PluginManifest } | { readonly problems: readonly GvuError[] }> {
  const gvu = isRecord(content.gvu) ? content.gvu : {};
  const contributes = isRecord(gvu.contributes) ? gvu.contributes : {};
  const { fitting, misfit } = fitSchema(directory, content, rules.schema);
  const entry = await findEntry(directory, gvu);
  const options = await compileOptions(directory, contributes);

  const problems = [misfit, ...unknownKinds(contributes, rules.kinds), ...entry.problems, ...options.problems];
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0 || fitting === undefined || entry.file === undefined) return { problems: found };

  const { optional, ...required } = fitting.gvu.requires;
  return {
    manifest: {
      name: fitting.name,
      version: fitting.version,
      api: fitting.gvu.api,
      entryFile: entry.file,
      contributions: entriesOf(fitting.gvu.contributes).map(
        ({ kind, pointer, entry: { id, description = '', options: _, ...facts } }) => ({
          kind,
          id: String(id),
          description: String(description),
          facts,
          options: options.byPointer.get(pointer) ?? noOptions,
        }),
      ),
      dependsOn: fitting.gvu.dependsOn,
      requires: {
        optional,
        names: Object.entries(required).flatMap(([kind, names]) =>
          Array.isArray(names) ? names.map((name) => ({ kind, name: String(name) })) : [],
        ),
      },
    },
  };
}

/** The shape of the whole, and what a schema cannot say about the versions in it. */
function fitSchema(
  directory: string,
  content: Readonly<Record<string, unknown>>,
  schema: Config<unknown>,
): { fitting?: PluginPackage; misfit?: GvuError } {
  const problems: Problem[] = [];
  let fitting: PluginPackage | undefined;
  try {
    // The type is derived from the schema that `parse` has just held it to; a kind only narrows that schema.
    fitting = schema.parse(content, { source: 'The manifest' }) as PluginPackage;
  } catch (error) {
    if (!isGvuError(error, 'GVU_CONFIG_INVALID')) throw error;
    problems.push(...problemsOf(error));
  }
  const api = isRecord(content.gvu) ? content.gvu.api : undefined;
  const apiProblem = typeof api === 'string' ? apiRangeProblem(api) : undefined;
  if (apiProblem !== undefined) problems.push({ pointer: '/gvu/api', message: apiProblem });
  const { version } = content;
  if (typeof version === 'string' && semver.valid(version) === null) {
    problems.push({
      pointer: '/version',
      message: `must be a version such as "1.2.0", but is ${JSON.stringify(version)}.`,
    });
  }
  if (problems.length === 0 && fitting !== undefined) return { fitting };
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return {
    misfit: coreErrors.error(
      'GVU_PLUGIN_MANIFEST_INVALID',
      `${join(directory, 'package.json')} has ${count}.${problemLines(problems)}`,
      {
        details: { problems },
      },
    ),
  };
}

function problemsOf(error: GvuError): Problem[] {
  const problems = error.details?.problems;
  if (!Array.isArray(problems)) return [];
  return problems.filter((problem) => isRecord(problem) && 'pointer' in problem && 'message' in problem);
}

function unknownKinds(contributes: Readonly<Record<string, unknown>>, known: readonly string[]): GvuError[] {
  return Object.keys(contributes)
    .filter((kind) => !known.includes(kind))
    .map((kind) =>
      coreErrors.error(
        'GVU_PLUGIN_KIND_UNKNOWN',
        `The manifest contributes to ${JSON.stringify(kind)}, a kind that no package has registered.${didYouMeanHint(kind, known)}`,
        { hint: `Registered are: ${known.join(', ') || 'none'}.`, details: { kind, known } },
      ),
    );
}
