/**
 * `SHA256SUMS`, in the format of `sha256sum`: what every file of a directory was when it was written. A tensor has no redundancy of its
 * own, so without it a flipped bit would be trained on from then on.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

const fileName = 'SHA256SUMS';

/** Sums up all files of a directory, also those below it. */
export async function writeChecksums(directory: string): Promise<void> {
  const lines: string[] = [];
  for (const path of await filesIn(directory)) lines.push(`${await sumOf(join(directory, path))}  ${path}\n`);
  await using file = await open(join(directory, fileName), 'wx');
  await file.writeFile(lines.join(''));
  await file.sync();
}

/** Compares the files of a directory, or those whose path begins with `below`, with their sums. Throws an error that names all at fault. */
export async function checkChecksums(directory: string, below = ''): Promise<void> {
  const text = await readFile(join(directory, fileName), 'utf8');
  const sums = new Map<string, string>();
  for (const line of text.split(/(?<=\n)/)) {
    const [, sum, path] = /^([0-9a-f]{64}) {2}(.+)\n$/.exec(line) ?? [];
    if (sum === undefined || path === undefined) throw new Error(`${fileName} was changed`);
    sums.set(path, sum);
  }
  const problems: string[] = [];
  const present = await filesIn(directory);
  for (const path of new Set([...sums.keys(), ...present])) {
    if (!path.startsWith(below)) continue;
    if (!present.includes(path)) problems.push(`${path} is missing`);
    else if ((await sumOf(join(directory, path))) !== sums.get(path)) problems.push(`${path} was changed`);
  }
  if (problems.length > 0) throw new Error(`${problems.join(', ')} (see ${fileName})`);
}

/** Paths with slashes, in the order of their characters. */
async function filesIn(directory: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const path of await readdir(directory, { recursive: true }))
    if (path !== fileName && (await stat(join(directory, path))).isFile()) paths.push(path.split(sep).join('/'));
  return paths.sort((a, b) => (a < b ? -1 : 1));
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}
