#!/usr/bin/env node
/** `npm create @gvu/plugin backend my-model`: the words of the command line, and what is said to people. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isGvuError } from '@gvu/core';
import { createErrors } from './errors.ts';
import { type NewPluginKind, pluginKinds } from './plugin-files.ts';
import { writePlugin } from './write-plugin.ts';

const usage = 'usage: npm create @gvu/plugin backend|reward|algorithm ID [-- --package NAME --directory DIRECTORY]';

try {
  const { kind, id, packageName, directory } = parsed(process.argv.slice(2));
  const target = directory ?? packageName?.replace('/', '-').replace('@', '') ?? `gvu-${kind}-${id}`;
  const files = await writePlugin(resolve(target), { kind, id, place: 'standalone', packageName });
  process.stdout.write(
    `${files.length} files in ${target}. Next:\n  cd ${target}\n  npm install\n  npm test   # the conformance kit\n`,
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (isGvuError(error, 'GVU_CREATE_OPTIONS')) process.stderr.write(`${usage}\n`);
  process.exitCode = 1;
}

function parsed(args: readonly string[]) {
  const refuse = (problem: string, cause?: unknown) =>
    createErrors.error('GVU_CREATE_OPTIONS', problem, { hint: 'Say what the plugin is and its id.', cause });
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { package: { type: 'string' }, directory: { type: 'string' } },
    });
    const [kind, id, ...more] = positionals;
    if (!isKind(kind) || id === undefined || more.length > 0) throw refuse(`Got ${JSON.stringify(positionals)}.`);
    return { kind, id, packageName: values.package, directory: values.directory };
  } catch (error) {
    if (isGvuError(error)) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}

function isKind(word: string | undefined): word is NewPluginKind {
  return pluginKinds.some((kind) => kind === word);
}
