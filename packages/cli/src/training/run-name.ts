/** Where a new run goes. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunConfig } from '@gvu/rl';
import { cliErrors } from '../errors.ts';
import { isRun } from '../runs/run-folder.ts';

/** `<date>-<rewards>-<seed>` below `parent`, or the name given; with a number where that is taken. Throws GVU_CLI_USAGE for a path. */
export function freeRunFolder(
  config: RunConfig,
  { parent, name, now }: { readonly parent: string; readonly name?: string | undefined; readonly now: Date },
): string {
  if (name !== undefined && (/[\\/]/.test(name) || ['', '.', '..'].includes(name))) {
    throw cliErrors.error(
      'GVU_CLI_USAGE',
      `--name ${JSON.stringify(name)} is not the name of a folder below ${parent}/.`,
      {
        hint: 'Give a name without slashes, or the whole path with --out.',
      },
    );
  }
  const rewards = config.rewards.map(({ use }) => use.replace(/[^A-Za-z0-9-]+/g, '-')).join('+');
  const wanted = join(parent, name ?? `${now.toISOString().slice(0, 10)}-${rewards}-${config.seed}`);
  for (let i = 1; ; i++) {
    const folder = i === 1 ? wanted : `${wanted}-${i}`;
    if (!existsSync(folder)) return folder;
  }
}

/** A folder that the user chose must hold no run, nor anything else. Throws GVU_CLI_RUN_EXISTS. */
export async function requireFree(folder: string): Promise<void> {
  if (isRun(folder)) {
    throw cliErrors.error('GVU_CLI_RUN_EXISTS', `There is a run in '${folder}'.`, {
      hint: `Continue it with \`gvu train --resume ${folder}\`, or give another folder.`,
    });
  }
  const content = await readdir(folder).catch(() => []);
  if (content.length > 0) {
    throw cliErrors.error('GVU_CLI_RUN_EXISTS', `'${folder}' is not empty.`, { hint: 'Give a new folder.' });
  }
}
