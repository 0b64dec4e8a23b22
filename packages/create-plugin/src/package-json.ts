/** The package.json of a new plugin, with the manifest that makes it one. */
import { readFile } from 'node:fs/promises';
import { PLUGIN_API_VERSION } from '@gvu/core';
import type { NewPlugin, NewPluginKind } from './plugin-files.ts';

/** What a kind is made of: packages of GvU that its template imports, and what its manifest says. */
const kinds: Readonly<Record<NewPluginKind, { uses: readonly string[]; entry: object; what: string }>> = {
  backend: {
    uses: ['core', 'models', 'onnx'],
    entry: { capabilities: ['text-to-image', 'image-to-text', 'trainable'] },
    what: 'A unified multimodal model',
  },
  reward: { uses: ['core', 'rewards'], entry: { description: 'How bright the picture is.' }, what: 'A reward' },
  algorithm: {
    uses: ['core', 'onnx', 'rl'],
    entry: { description: 'REINFORCE with the group as baseline.' },
    what: 'An algorithm',
  },
};

export async function packageJson({ kind, id, place }: NewPlugin, name: string): Promise<object> {
  const { uses, entry, what } = kinds[kind];
  const version = await ownVersion();
  const inside = place === 'repository';
  const packages = (list: readonly string[], range: string) =>
    Object.fromEntries(list.map((one) => [`@gvu/${one}`, range]));
  const source = { '@gvu/source': './src/plugin.ts' };
  return {
    name,
    version: '0.1.0',
    description: `${what} as a plugin of GvU: ${id}.`,
    ...(inside && { license: 'Apache-2.0' }),
    keywords: ['gvu-plugin'],
    type: 'module',
    engines: { node: '>=20.11' },
    exports: {
      '.': { ...(inside && source), types: './dist/plugin.d.ts', import: './dist/plugin.js' },
      './package.json': './package.json',
    },
    files: ['dist', 'src', 'schema', '!**/*.tsbuildinfo'],
    scripts: inside
      ? { build: 'tsc --build tsconfig.lib.json' }
      : {
          build: 'tsc --project tsconfig.build.json',
          typecheck: 'tsc',
          // The plugin is tested as a host loads it: built.
          test: 'npm run build && vitest run',
          prepack: 'npm run build',
        },
    gvu: {
      api: `^${PLUGIN_API_VERSION.split('.').slice(0, 2).join('.')}`,
      entry: './dist/plugin.js',
      ...(inside && { source: './src/plugin.ts' }),
      contributes: { [`${kind}s`]: [{ id, ...entry, options: './schema/options.json' }] },
    },
    // A plugin works with the GvU that loads it, so it brings none of its own.
    ...(inside
      ? { dependencies: packages(uses, version), devDependencies: packages(['testing'], version) }
      : {
          peerDependencies: packages(uses, `^${version}`),
          devDependencies: {
            ...packages(
              kind === 'backend' ? ['testing'] : ['onnx', 'testing'].filter((one) => !uses.includes(one)),
              `^${version}`,
            ),
            '@types/node': '^20',
            typescript: '>=5.9',
            vitest: '^4',
          },
        }),
  };
}

async function ownVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  return version;
}
