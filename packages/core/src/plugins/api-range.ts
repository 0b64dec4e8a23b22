/**
 * Which plugin-API versions a plugin says it works with, and whether the host's is one of them.
 *
 * The plugin API has a version of its own, apart from the product's, so that plugins break with the API and not with
 * every release. A range must be a promise that its author can keep: it has an end, and below 1.0, where every minor may
 * break, it names its minors. VS Code's `engines.vscode` has the same rules; the allowance for prereleases is Fastify's.
 */
import semver from 'semver';
import { PLUGIN_API_VERSION } from './plugin-api.ts';

const example = `"^${PLUGIN_API_VERSION}"`;

/** What is wrong with a range as a promise, as the end of a sentence, or undefined. */
export function apiRangeProblem(range: string): string | undefined {
  if (semver.validRange(range) === null) {
    return `must be a range of versions such as ${example}, but is ${JSON.stringify(range)}.`;
  }
  for (const comparators of new semver.Range(range).set) {
    const end = comparators.find(({ value, operator }) => value !== '' && !operator.startsWith('>'));
    if (end === undefined) {
      return `must have an end, but ${JSON.stringify(range)} takes in every later version. Write for example ${example}.`;
    }
    const start = comparators.find(({ operator }) => operator.startsWith('>'));
    const startMajor = start?.semver.major ?? 0;
    if (end.operator.startsWith('<') && startMajor === 0 && end.semver.major > 0) {
      return `must name its minor versions below 1.0, where each may break, but is ${JSON.stringify(range)}. Write for example ${example}.`;
    }
  }
  return undefined;
}

/**
 * Whether `range` takes in `version`. A prerelease of the host counts as inside the range that its number falls in, and
 * the first prereleases of a breaking version also take the plugins of the version before, so that both can be tried.
 */
export function apiRangeAccepts(range: string, version: string): boolean {
  if (semver.satisfies(version, range, { includePrerelease: true })) return true;
  const host = semver.parse(version);
  if (host === null || host.prerelease.length === 0 || host.patch !== 0) return false;
  if (host.major === 0) return host.minor > 0 && semver.intersects(range, `~0.${host.minor - 1}`);
  return host.minor === 0 && semver.intersects(range, `^${host.major - 1}`);
}
