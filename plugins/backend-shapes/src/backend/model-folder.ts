/**
 * Where models lie, and what tells two of them apart. Those of this package are known by a name; any other by its directory.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shapesErrors } from '../errors.ts';
import { configFile, readModelConfig, weightsFile } from '../model/weights.ts';
import type { World } from '../world/index.ts';

/** The models in this package: both of one world. */
const shipped: readonly string[] = ['regular', 'weak'];

/** Which model: `regular`, `weak`, or the path of a directory that `gvu pretrain` has made. */
export type ModelChoice = string;

/** The directory of a model. A path that looks like a name is told apart by `./`. */
export function modelFolder(model: ModelChoice): string {
  // The same from `src/backend` and from `dist/backend`.
  return shipped.includes(model) ? fileURLToPath(new URL(`../../models/${model}`, import.meta.url)) : resolve(model);
}

/** The world that a model was made for. Throws as `readModelConfig`. */
export async function worldOf(model: ModelChoice): Promise<World> {
  const { world } = await readModelConfig(modelFolder(model));
  return world;
}

/** Other whenever the model's sizes, world or weights are: twelve hexadecimal digits. Throws GVU_SHAPES_MODEL. */
export async function modelFingerprint(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [configFile, weightsFile]) {
    const file = join(folder, name);
    hash.update(
      await readFile(file).catch((cause: unknown) => {
        throw shapesErrors.error('GVU_SHAPES_MODEL', `'${file}' cannot be read.`, {
          hint: 'Name the directory of a model, made by `gvu pretrain`.',
          cause,
        });
      }),
    );
  }
  return hash.digest('hex').slice(0, 12);
}

/** The version of this package, as its package.json has it. */
export async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
}
