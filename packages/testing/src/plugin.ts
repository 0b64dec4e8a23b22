/** The conformance kit of plugins: a package as the plugin host sees it, whatever it contributes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contributionPoint, isRecord, PluginHost, throwIfFailed } from '@gvu/core';
import { benchmarks, judges, wordings } from '@gvu/evals';
import { backends, footprints, pretrainings } from '@gvu/models';
import { rewards } from '@gvu/rewards';
import { algorithms, exams, prompts } from '@gvu/rl';
import { assertCoded } from './assertions.ts';
import type { ConformanceCheck } from './check.ts';

export interface PluginConformanceOptions {
  /** Where the plugin's package.json is. */
  readonly directory: string;
}

export function pluginConformance({ directory }: PluginConformanceOptions): readonly ConformanceCheck[] {
  const load = async (): Promise<PluginHost> => {
    const host = new PluginHost({ projectDirectory: directory });
    host.registerContributionPoint(backends);
    host.registerContributionPoint(footprints);
    host.registerContributionPoint(pretrainings);
    host.registerContributionPoint(rewards);
    host.registerContributionPoint(algorithms);
    host.registerContributionPoint(prompts);
    host.registerContributionPoint(exams);
    host.registerContributionPoint(benchmarks);
    host.registerContributionPoint(judges);
    host.registerContributionPoint(wordings);
    throwIfFailed(await host.load([directory]));
    return host;
  };
  return [
    {
      name: 'loads, and contributes something',
      async run() {
        await using host = await load();
        assert.ok(host.contributions().length > 0, 'the plugin contributes nothing');
      },
    },
    {
      name: 'refuses options that it does not have',
      async run() {
        await using host = await load();
        for (const { kind, id } of host.contributions()) {
          const point = contributionPoint<unknown>({ kind, description: '' });
          await assertCoded(
            () => host.create(point, id, { options: { 'no such option': 1 }, deps: undefined }),
            'GVU_PLUGIN_OPTIONS_INVALID',
            `an unknown option of ${kind}/${id}`,
          );
        }
      },
    },
    {
      name: 'describes each option of its contributions',
      async run() {
        const { gvu } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
        for (const [kind, entries] of Object.entries<readonly unknown[]>(gvu.contributes))
          for (const entry of entries) {
            assert.ok(isRecord(entry));
            if (typeof entry.options !== 'string') continue;
            const { properties = {} } = JSON.parse(await readFile(join(directory, entry.options), 'utf8'));
            for (const [name, schema] of Object.entries(properties))
              assert.ok(
                isRecord(schema) && typeof schema.description === 'string',
                `option '${name}' of ${kind} has no description`,
              );
          }
      },
    },
    {
      name: 'can be loaded and unloaded again',
      async run() {
        for (let i = 0; i < 2; i++) await (await load())[Symbol.asyncDispose]();
      },
    },
  ];
}
