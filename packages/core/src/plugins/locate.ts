/**
 * Where a listed plugin lies on disk, and which files inside it may be used.
 *
 * Plugins are listed by package name or by path. A name is looked up by walking up the `node_modules` directories from
 * the user's project and reading manifests; Node's own resolution is not used, because on Node 20 it cannot see
 * packages that only export to `import`, nor start from another place. Nothing is scanned for plugins and no code runs.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { coreErrors } from '../core-errors.ts';
import { didYouMeanHint } from '../did-you-mean.ts';

const packageName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

/**
 * The real directory of the package that `specifier` names.
 * @param specifier A package name, or a path that is absolute or begins with `./` or `../`.
 * @param projectDirectory The user's project: where paths and the walk up the `node_modules` start.
 * @throws GVU_PLUGIN_NOT_FOUND
 */
export async function findPlugin(specifier: string, projectDirectory: string): Promise<string> {
  if (isAbsolute(specifier) || /^\.{1,2}(?:[/\\]|$)/.test(specifier)) {
    const directory = resolve(projectDirectory, specifier);
    const found = await packageAt(directory);
    if (found !== undefined) return found;
    throw coreErrors.error('GVU_PLUGIN_NOT_FOUND', `There is no package.json in ${directory}.`, {
      hint: 'Give the directory of the plugin, the one with its package.json.',
    });
  }
  if (!packageName.test(specifier)) {
    throw coreErrors.error('GVU_PLUGIN_NOT_FOUND', `${JSON.stringify(specifier)} is not the name of a package.`, {
      hint: 'List a plugin by its package name, or by a path that begins with "./" or "../".',
    });
  }
  const searched = nodeModulesAbove(projectDirectory);
  for (const nodeModules of searched) {
    const found = await packageAt(join(nodeModules, specifier));
    if (found !== undefined) return found;
  }
  const installed = (await Promise.all(searched.map(packagesIn))).flat();
  throw coreErrors.error(
    'GVU_PLUGIN_NOT_FOUND',
    `Package "${specifier}" is in no node_modules from ${projectDirectory} upwards.${didYouMeanHint(specifier, installed)}`,
    { hint: `Install it with "npm install ${specifier}".`, details: { searched } },
  );
}

/** A file that a manifest names, or why it cannot be used. */
export type FileInside = { readonly file: string } | { readonly refused: 'escape' | 'missing'; readonly why: string };

/** Finds `path` below `directory`, both with symbolic links resolved: nothing outside of the package is ever used. */
export async function fileInside(directory: string, path: string): Promise<FileInside> {
  const root = await realpath(directory);
  const named = resolve(root, path);
  if (isAbsolute(path) || !isBelow(root, named)) {
    return { refused: 'escape', why: `must be a path inside the package, but is ${JSON.stringify(path)}.` };
  }
  const real = await realpath(named).catch(() => undefined);
  if (real !== undefined && !isBelow(root, real)) {
    return { refused: 'escape', why: `must be a path inside the package, but ${path} is a link to ${real}.` };
  }
  if (real === undefined || !(await stat(real)).isFile()) {
    return { refused: 'missing', why: `names ${path}, but ${named} is not a file.` };
  }
  return { file: real };
}

function isBelow(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function nodeModulesAbove(start: string): string[] {
  const found: string[] = [];
  for (let directory = resolve(start); ; directory = dirname(directory)) {
    if (basename(directory) !== 'node_modules') found.push(join(directory, 'node_modules'));
    if (directory === dirname(directory)) return found;
  }
}

async function packageAt(directory: string): Promise<string | undefined> {
  const manifest = await stat(join(directory, 'package.json')).catch(() => undefined);
  return manifest?.isFile() ? realpath(directory) : undefined;
}

/** Names only, for "did you mean": the packages themselves are not looked into. */
async function packagesIn(nodeModules: string): Promise<string[]> {
  const names = await readdir(nodeModules).catch(() => []);
  const scopes = names.filter((name) => name.startsWith('@'));
  const scoped = scopes.map(async (scope) =>
    (await readdir(join(nodeModules, scope)).catch(() => [])).map((name) => `${scope}/${name}`),
  );
  return [...names, ...(await Promise.all(scoped)).flat()];
}
