/**
 * The one template function of new plugins: from a kind and an id to the files of a package. Whoever calls it writes them, to a directory
 * of the user's (`npm create @gvu/plugin`) or into the repository of GvU (`nx g @gvu/tools:backend`), whose packages share their settings.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createErrors } from './errors.ts';
import { packageJson } from './package-json.ts';

export const pluginKinds = ['backend', 'reward', 'algorithm'] as const;
export type NewPluginKind = (typeof pluginKinds)[number];

/** A package by itself, or one of the workspaces of GvU's repository. */
export type PluginPlace = 'standalone' | 'repository';

export interface NewPlugin {
  readonly kind: NewPluginKind;
  /** As users will name it: lower-case words with hyphens between, such as `my-model`. */
  readonly id: string;
  readonly place: PluginPlace;
  /** Default: `gvu-backend-my-model`; in the repository always `@gvu/backend-my-model`. */
  readonly packageName?: string | undefined;
}

/** The text of each file by its path below the package. Throws GVU_CREATE_OPTIONS, naming every problem. */
export async function pluginFiles(plugin: NewPlugin): Promise<ReadonlyMap<string, string>> {
  const packageName = checkedName(plugin);
  const names: Readonly<Record<string, string>> = {
    __id__: plugin.id,
    __package__: packageName,
    __Name__: pascalCase(plugin.id),
    __name__: pascalCase(plugin.id).replace(/^./, (letter) => letter.toLowerCase()),
  };
  const filled = (text: string) => text.replace(/__(?:id|package|[Nn]ame)__/g, (name) => names[name] ?? name);
  const files = new Map<string, string>();
  for (const folder of [plugin.kind, plugin.place])
    for (const [path, text] of await templates(folder)) files.set(filled(path), filled(text));
  files.set('package.json', `${JSON.stringify(await packageJson(plugin, packageName), null, 2)}\n`);
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The name of the package. Throws GVU_CREATE_OPTIONS. */
function checkedName({ kind, id, place, packageName }: NewPlugin): string {
  const scope = place === 'repository' ? '@gvu/' : 'gvu-';
  const name = packageName ?? `${scope}${kind}-${id}`;
  const problems = [
    pluginKinds.includes(kind) || `the kind is ${JSON.stringify(kind)}, not one of ${pluginKinds.join(', ')}`,
    /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(id) || `the id ${JSON.stringify(id)} is not of lower-case words with hyphens`,
    /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/.test(name) || `${JSON.stringify(name)} cannot be the name of a package`,
  ].filter((problem) => typeof problem === 'string');
  if (problems.length === 0) return name;
  throw createErrors.error('GVU_CREATE_OPTIONS', `${problems.join('; ')}.`, {
    hint: 'Ask for a plugin as in `backend my-model`.',
    details: { problems },
  });
}

const suffix = '.template';

async function templates(folder: string): Promise<readonly (readonly [path: string, text: string])[]> {
  const root = fileURLToPath(new URL(`../templates/${folder}`, import.meta.url));
  const paths = (await readdir(root, { recursive: true })).filter((path) => path.endsWith(suffix));
  return Promise.all(
    paths.map(
      async (path) =>
        [path.slice(0, -suffix.length).replaceAll('\\', '/'), await readFile(join(root, path), 'utf8')] as const,
    ),
  );
}

function pascalCase(id: string): string {
  return id
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
}
