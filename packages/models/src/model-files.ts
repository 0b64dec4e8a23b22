/**
 * Small text files of a model's directory: configuration, tokenizer, templates. The directory is data from elsewhere: a link must
 * not lead out of it, and nothing larger than a tokenizer is read.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isGvuError, isRecord } from '@gvu/core';
import { resolveInside } from '@gvu/onnx';
import { modelErrors } from './errors.ts';

const MAX_BYTES = 256 * 2 ** 20;

/** The text of a file; undefined when it is optional and not there. Throws GVU_MODEL_FILE, or GVU_CHECKPOINT_LINK. */
export async function readModelFile(
  directory: string,
  name: string,
  options: { optional: true },
): Promise<string | undefined>;
export async function readModelFile(directory: string, name: string): Promise<string>;
export async function readModelFile(
  directory: string,
  name: string,
  { optional = false }: { optional?: boolean } = {},
): Promise<string | undefined> {
  const path = join(directory, name);
  const fault = (why: string, cause?: unknown) =>
    modelErrors.error('GVU_MODEL_FILE', `'${path}' cannot be read: ${why}.`, {
      hint: 'Name the directory of a whole checkpoint.',
      cause,
    });
  try {
    const file = await resolveInside(await realpath(directory), name);
    if (file === undefined) {
      if (optional) return undefined;
      throw fault('there is no such file');
    }
    const kind = await stat(file); // before it is opened: opening a pipe could block for ever
    if (!kind.isFile()) throw fault('it is not a regular file');
    if (kind.size > MAX_BYTES) throw fault(`it has ${kind.size} bytes, more than ${MAX_BYTES}`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (isGvuError(cause)) throw cause;
    throw fault(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The object in a JSON file. Throws as `readModelFile` does. */
export async function readModelJson(directory: string, name: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readModelFile(directory, name);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw modelErrors.error('GVU_MODEL_FILE', `'${join(directory, name)}' is not JSON.`, { cause });
  }
  if (isRecord(value)) return value;
  throw modelErrors.error('GVU_MODEL_FILE', `'${join(directory, name)}' is no JSON object.`);
}
