/**
 * A user's project in a temporary directory, with plugin packages written for one test: whole ones, and broken ones of
 * every kind. The plugins are plain JavaScript that imports nothing, as a stranger's build would be.
 */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface PluginFiles {
  /** Body of `setup(context)`, with the helpers of `prelude` in sight. Null: no entry is written. */
  setup?: string | null;
  /** The whole entry, instead of one made of `setup`. */
  entry?: string;
  /** Merged into the key `gvu` of package.json; undefined removes a key. */
  gvu?: Record<string, unknown>;
  /** Merged into package.json; undefined removes a key. */
  packageJson?: Record<string, unknown>;
  /** Further files by their paths; objects are written as JSON. */
  files?: Record<string, unknown>;
}

/** The marker of `definePlugin` and the two points of the tests, by the names that make them the same everywhere. */
const prelude = `
const definePlugin = (definition) => ({ ...definition, [Symbol.for('gvu.plugin')]: true });
const tools = { kind: 'tools' };
const makers = { kind: 'makers' };
const journal = (globalThis.gvuTestJournal ??= []);
`;

/** What plugins wrote with \`journal.push\` since the last call: how tests see that code of a plugin ran. */
export function takeJournal(): unknown[] {
  const journal: unknown = Reflect.get(globalThis, 'gvuTestJournal');
  return Array.isArray(journal) ? journal.splice(0) : [];
}

export class PluginProject implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<PluginProject> {
    return new PluginProject(await realpath(await mkdtemp(join(tmpdir(), 'gvu-plugins-'))));
  }

  /** Writes a plugin, installed in `node_modules` unless \`at\` gives another place; returns its directory. */
  async add(name: string, plugin: PluginFiles = {}, at = join('node_modules', name)): Promise<string> {
    const directory = join(this.directory, at);
    const { setup = '', entry = `${prelude}export default definePlugin({ async setup(context) {\n${setup}\n} });` } =
      plugin;
    const packageJson = {
      name,
      version: '1.2.0',
      type: 'module',
      gvu: { api: '^0.1', entry: './index.js', contributes: {}, ...plugin.gvu },
      ...plugin.packageJson,
    };
    await this.write(join(at, 'package.json'), packageJson);
    if (setup !== null) await this.write(join(at, 'index.js'), entry);
    for (const [path, content] of Object.entries(plugin.files ?? {})) await this.write(join(at, path), content);
    return directory;
  }

  async write(path: string, content: unknown): Promise<void> {
    const file = join(this.directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
