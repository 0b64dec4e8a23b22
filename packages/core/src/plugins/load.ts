/**
 * Loading plugins, from a list of names to contributions that can be created: eight phases, read from top to bottom.
 *
 * All plugins pass one phase before the next begins. A plugin that fails in one leaves the walk, with everything that
 * depends on it; the others go on. No code of any plugin runs before the phase `import`. `load-steps.ts` has the single
 * steps, `host.ts` owns the result.
 */
import { contributionName } from './catalogue.ts';
import { type Candidate, LoadJournal } from './load-journal.ts';
import {
  checkApi,
  checkProvided,
  checkRequires,
  importEntry,
  type LoadEnvironment,
  type LoadedPlugin,
  setUp,
} from './load-steps.ts';
import { findPlugin } from './locate.ts';
import { checkManifest, manifestRules, readManifest } from './manifest.ts';
import { orderPlugins } from './order-plugins.ts';
import { formatPluginProblem, type PluginReport } from './report.ts';

interface ReadPlugin extends Candidate {
  readonly directory: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Never rejects for the sake of a plugin. `loaded` has the plugins that became ready, in the order of their set-up. */
export async function loadPlugins(
  list: readonly string[],
  environment: LoadEnvironment,
): Promise<{ report: PluginReport; loaded: LoadedPlugin[] }> {
  const { catalogue } = environment;
  const journal = new LoadJournal();
  const rules = manifestRules(environment.kinds);

  const listed = [...new Set(list)].map((specifier) => journal.open(specifier));
  const read = await journal.phase('read', listed, (plugin) => readListed(plugin, environment, journal));

  const known = await journal.phase('manifest', read, async ({ status, directory, content }, { fail }) => {
    const verdict = await checkManifest(directory, content, rules);
    if ('problems' in verdict) {
      verdict.problems.forEach(fail);
      return undefined;
    }
    status.contributions = verdict.manifest.contributions.map(contributionName);
    return { status, directory, manifest: verdict.manifest };
  });
  const speaking = await journal.phase('api', known, (plugin, notes) => checkApi(plugin, environment, notes));
  const equipped = await journal.phase('requires', speaking, (plugin, notes) =>
    checkRequires(plugin, environment, notes),
  );
  const ordered = await orderPlugins(equipped, environment, journal);

  const imported = await journal.phase('import', ordered, (plugin, notes) => {
    journal.checkDependencies(plugin.manifest.dependsOn, notes);
    return plugin.status.state === 'failed' ? undefined : importEntry(plugin, environment);
  });
  const running = await journal.phase('setup', imported, (plugin, notes) => {
    journal.checkDependencies(plugin.manifest.dependsOn, notes);
    return plugin.status.state === 'failed' ? undefined : setUp(plugin, environment, journal);
  });
  const ready = await journal.phase('ready', running, (plugin, notes) => {
    journal.checkDependencies(plugin.manifest.dependsOn, notes);
    checkProvided(plugin, notes);
    return plugin;
  });

  for (const { status, scope } of running.filter((plugin) => plugin.status.state === 'failed').reverse()) {
    await journal.discard(status, scope, journal.firstError(status)?.error);
  }
  for (const { manifest, directory, scope } of ready) {
    const { name, version } = manifest;
    const factories = new Map(scope.provided.map((item) => [contributionName(item), item.factory]));
    for (const declared of manifest.contributions) {
      const factory = factories.get(contributionName(declared));
      if (factory === undefined) continue; // never: `checkProvided` has seen to it
      catalogue.add({ contribution: { ...declared, plugin: { name, version, directory } }, factory });
    }
  }
  for (const status of journal.plugins) {
    const problem = journal.firstError(status);
    if (status.state === 'ready' || problem === undefined) continue;
    for (const name of status.contributions) catalogue.addLost(name, formatPluginProblem(problem));
  }
  return { report: { plugins: journal.plugins, problems: journal.problems }, loaded: ready };
}

/** Finds a plugin and reads its package.json. A directory that was there before, in the list or a load, is passed over. */
async function readListed(
  { status }: Candidate,
  { projectDirectory, loaded }: LoadEnvironment,
  journal: LoadJournal,
): Promise<ReadPlugin | undefined> {
  const directory = await findPlugin(status.specifier, projectDirectory);
  const before = journal.plugins.some((plugin) => plugin.directory === directory);
  const earlier = loaded.find((plugin) => plugin.status.directory === directory);
  if (before || earlier !== undefined) {
    journal.replace(status, before ? undefined : earlier?.status);
    return undefined;
  }
  status.directory = directory;
  const content = await readManifest(directory);
  if (typeof content.name === 'string') status.name = content.name;
  if (typeof content.version === 'string') status.version = content.version;
  return { status, directory, content };
}
