/**
 * Phase `order`: the plugins among each other.
 *
 * Names and ids must be unique, what is depended on must be listed, and circles are refused. Of two plugins that claim
 * the same, the one that was there first stays: the other one says so, with both places.
 */
import { coreErrors } from '../core-errors.ts';
import { didYouMeanHint } from '../did-you-mean.ts';
import type { GvuError } from '../errors.ts';
import { contributionName } from './catalogue.ts';
import { type LoadJournal, nameOf } from './load-journal.ts';
import { loadOrder } from './load-order.ts';
import type { KnownPlugin, LoadEnvironment } from './load-steps.ts';

/** Returns those without problems, each after those it depends on. */
export async function orderPlugins(
  listed: readonly KnownPlugin[],
  environment: LoadEnvironment,
  journal: LoadJournal,
): Promise<KnownPlugin[]> {
  const { ordered, cycles } = loadOrder(
    listed.map((plugin) => ({ name: plugin.manifest.name, dependsOn: plugin.manifest.dependsOn, plugin })),
  );
  const clashes = findClashes(listed, environment);
  const presentNames = [...journal.plugins, ...environment.loaded.map(({ status }) => status)].map(nameOf);

  return await journal.phase(
    'order',
    ordered.map(({ plugin }) => plugin),
    (plugin, notes) => {
      const { name, dependsOn } = plugin.manifest;
      clashes.get(plugin)?.forEach(notes.fail);
      for (const missing of dependsOn.filter((dependency) => !presentNames.includes(dependency))) {
        const hint = `${didYouMeanHint(missing, presentNames)} List it too.`.trim();
        notes.fail(
          coreErrors.error('GVU_PLUGIN_DEPENDENCY_MISSING', `It depends on "${missing}", which is not listed.`, {
            hint,
          }),
        );
      }
      const circle = cycles.find((path) => path.includes(name));
      if (circle === undefined) journal.checkDependencies(dependsOn, notes);
      else {
        const path = circle.join(' -> ');
        notes.fail(
          coreErrors.error('GVU_PLUGIN_DEPENDENCY_CYCLE', `It depends on itself: ${path}.`, { details: { path } }),
        );
      }
      return plugin;
    },
  );
}

function findClashes(
  listed: readonly KnownPlugin[],
  { catalogue, loaded }: LoadEnvironment,
): Map<KnownPlugin, GvuError[]> {
  const clashes = new Map<KnownPlugin, GvuError[]>();
  const directoryOfName = new Map(loaded.map(({ status }) => [nameOf(status), status.directory]));
  const directoryOfId = new Map(catalogue.list().map((item) => [contributionName(item), item.plugin.directory]));
  for (const plugin of listed) {
    const { manifest, directory } = plugin;
    const errors: GvuError[] = [];
    const other = directoryOfName.get(manifest.name);
    if (other !== undefined) {
      const message = `"${manifest.name}" is listed as ${other} and as ${directory}.`;
      errors.push(coreErrors.error('GVU_PLUGIN_DUPLICATE_NAME', message, { hint: 'List one of them.' }));
    } else directoryOfName.set(manifest.name, directory);
    for (const name of manifest.contributions.map(contributionName)) {
      const owner = directoryOfId.get(name);
      if (owner === undefined) directoryOfId.set(name, directory);
      else errors.push(duplicateId(name, owner, directory));
    }
    clashes.set(plugin, errors);
  }
  return clashes;
}

function duplicateId(name: string, owner: string, directory: string): GvuError {
  const message =
    owner === directory
      ? `The manifest declares "${name}" twice.`
      : `"${name}" is contributed by ${owner} and by ${directory}.`;
  return coreErrors.error('GVU_PLUGIN_DUPLICATE_ID', message, {
    hint: owner === directory ? 'Rename one of them.' : 'List only one of the two plugins, or rename the contribution.',
  });
}
