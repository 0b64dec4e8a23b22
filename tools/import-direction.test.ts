/** The direction of imports: each package uses only packages below it, and plugins use contracts, never each other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProjectGraphAsync } from '@nx/devkit';
import { describe, expect, it } from 'vitest';

/** From the ground floor up. A package may import those before it. */
const floors = ['core', 'onnx', 'models', 'rewards', 'rl', 'evals', 'server', 'dashboard', 'testing', 'cli'];

/** Which imports go the wrong way, as sentences. */
function wrongImports(edges: readonly { from: string; to: string }[]): readonly string[] {
  const floor = (name: string) => floors.indexOf(name.replace('@gvu/', ''));
  return edges.flatMap(({ from, to }) => {
    if (!to.startsWith('@gvu/')) return [];
    const isPlugin = floor(from) < 0;
    if (floor(to) < 0) return [`${from} imports the plugin ${to}.`];
    if (isPlugin || floor(to) < floor(from)) return [];
    return [`${from} imports ${to}, which is not below it.`];
  });
}

/** What the sources of a package really import: a dependency that is declared but unused, or the reverse, is another check's business. */
function sourceImports(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules') && !file.includes('dist'))
    .flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/from '(@gvu\/[a-z0-9-]+)/g)].map(
        (match) => match[1] ?? '',
      ),
    );
}

describe('imports', () => {
  it('point down the list of packages, in the project graph and in the sources', async () => {
    const { nodes, dependencies } = await createProjectGraphAsync();
    const declared = Object.values(dependencies)
      .flat()
      .map(({ source, target }) => ({ from: source, to: target }));
    const written = Object.values(nodes).flatMap(({ name, data }) =>
      data.root === '.'
        ? []
        : sourceImports(data.root)
            .filter((to) => to !== name)
            .map((to) => ({ from: name, to })),
    );
    expect(declared.length).toBeGreaterThan(0);
    expect(written.length).toBeGreaterThan(0);
    expect(wrongImports([...declared, ...written])).toEqual([]);
  });

  it('are reported when they point up or between plugins', () => {
    expect(
      wrongImports([
        { from: '@gvu/core', to: '@gvu/onnx' },
        { from: '@gvu/backend-a', to: '@gvu/backend-b' },
        { from: '@gvu/models', to: '@gvu/onnx' },
        { from: '@gvu/backend-a', to: '@gvu/models' },
      ]),
    ).toEqual([
      '@gvu/core imports @gvu/onnx, which is not below it.',
      '@gvu/backend-a imports the plugin @gvu/backend-b.',
    ]);
  });
});
