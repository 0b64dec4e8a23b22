// The generators `npx nx g @gvu/tools:backend NAME`, `:reward` and `:algorithm`: the files of @gvu/create-plugin in plugins/, and their place
// in the root's tsconfig.json. The template is TypeScript, which tsx loads from source: generators work in a fresh clone.
import { installPackagesTask, updateJson } from '@nx/devkit';
import { tsImport } from 'tsx/esm/api';

/** @param {'backend' | 'reward' | 'algorithm'} kind */
function generator(kind) {
  /** @param {import('@nx/devkit').Tree} tree @param {{ name: string }} options */
  return async (tree, { name }) => {
    const { pluginFiles } = await tsImport('../../packages/create-plugin/src/plugin-files.ts', import.meta.url);
    const root = `plugins/${kind}-${name}`;
    if (tree.exists(root)) throw new Error(`'${root}' is there already.`);
    for (const [path, text] of await pluginFiles({ kind, id: name, place: 'repository' }))
      tree.write(`${root}/${path}`, text);
    updateJson(tree, 'tsconfig.json', (json) => {
      const isPlugin = ({ path }) => path.startsWith('plugins/');
      const plugins = [...json.references.filter(isPlugin), { path: root }].sort((a, b) => (a.path < b.path ? -1 : 1));
      const others = json.references.filter((reference) => !isPlugin(reference));
      const last = others.findLastIndex(({ path }) => path.startsWith('packages/'));
      return { ...json, references: [...others.slice(0, last + 1), ...plugins, ...others.slice(last + 1)] };
    });
    // Links the new workspace.
    return () => installPackagesTask(tree, true);
  };
}

export const backend = generator('backend');
export const reward = generator('reward');
export const algorithm = generator('algorithm');
