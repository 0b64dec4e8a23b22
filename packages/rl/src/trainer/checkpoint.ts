/**
 * Checkpoints of a run: `checkpoints/step-000100/` with the adapter in PEFT's layout, the optimiser's moments and what else the next step
 * depends on, with checksums. A directory appears whole or not at all. Randomness needs no state: it is a function of the step.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord, reasonOf, syncDirectory } from '@gvu/core';
import type { Backend } from '@gvu/models';
import {
  loraLayout,
  openSafetensors,
  packFlat,
  readAdapter,
  readTensors,
  type TensorData,
  writeAdapter,
  writeSafetensors,
} from '@gvu/onnx';
import { rlErrors } from '../errors.ts';
import { checkChecksums, writeChecksums } from './checksums.ts';
import type { GuardMemory } from './guards.ts';
import type { PolicyState, PolicyValues } from './policy-state.ts';

/** What the next step depends on, besides the policy. */
export interface RunProgress {
  /** Steps done. */
  readonly step: number;
  /** Optimiser steps done. */
  readonly updates: number;
  readonly elapsedSeconds: number;
  readonly guards: GuardMemory;
}

export interface Checkpoint {
  readonly progress: RunProgress;
  readonly values: PolicyValues;
}

const folderOf = (run: string) => join(run, 'checkpoints');
const nameOf = (step: number) => `step-${String(step).padStart(6, '0')}`;
const namePattern = /^step-(\d{6,})$/;

/** Writes a checkpoint, keeps the newest ones, and returns its path relative to the run. */
export async function writeCheckpoint(
  run: string,
  { state, progress, backend, keep }: { state: PolicyState; progress: RunProgress; backend: Backend; keep: number },
): Promise<string> {
  const folder = folderOf(run);
  const name = nameOf(progress.step);
  const temporary = join(folder, `.${name}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    const values = await state.read();
    await writeAdapter(join(temporary, 'adapter'), state.adapterOf(values), { modules: backend.modules });
    const { firstMoment, secondMoment, average } = values;
    await writeSafetensors(
      join(temporary, 'optimiser.safetensors'),
      new Map(Object.entries({ firstMoment, secondMoment, ...(average && { average }) })),
      {},
    );
    await writeSynced(join(temporary, 'progress.json'), `${JSON.stringify(progress, undefined, 2)}\n`);
    await writeChecksums(temporary);
    await syncDirectory(temporary);
    await rm(join(folder, name), { recursive: true, force: true });
    await rename(temporary, join(folder, name));
    await syncDirectory(folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw rlErrors.error(
      'GVU_RUN_WRITE',
      `The checkpoint of step ${progress.step} could not be written: ${reasonOf(cause)}.`,
      {
        hint: 'Make room on the disk or mend the permissions, then resume the run: it goes on from the checkpoint before, if there is one.',
        cause,
      },
    );
  }
  const older = (await listCheckpoints(run)).filter(({ step }) => step !== progress.step);
  for (const { path } of older.slice(0, Math.max(0, older.length - keep + 1)))
    await rm(path, { recursive: true, force: true });
  return join('checkpoints', name);
}

/** The checkpoints of a run, oldest first. */
export async function listCheckpoints(
  run: string,
): Promise<readonly { readonly step: number; readonly path: string }[]> {
  const names = await readdir(folderOf(run)).catch(() => []);
  return names
    .flatMap((name) => {
      const step = namePattern.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folderOf(run), name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Where the newest adapter of a run lies; undefined when there is no checkpoint. Throws GVU_RUN_CHECKPOINT when it is damaged. */
export async function newestAdapter(
  run: string,
): Promise<{ readonly step: number; readonly path: string } | undefined> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (!newest) return undefined;
  await checkChecksums(newest.path, 'adapter/').catch((cause) => {
    throw damaged(newest.path, cause);
  });
  return { step: newest.step, path: join(newest.path, 'adapter') };
}

/** The newest checkpoint of a run; undefined when there is none. Throws GVU_RUN_CHECKPOINT when it is damaged. */
export async function readCheckpoint(run: string, backend: Backend): Promise<Checkpoint | undefined> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (!newest) return undefined;
  try {
    await checkChecksums(newest.path);
    const { options, tensors } = await readAdapter(join(newest.path, 'adapter'), backend.modules);
    const { tensors: entries } = await openSafetensors(join(newest.path, 'optimiser.safetensors'));
    const saved = await readTensors(entries.values());
    const adapter = packFlat(loraLayout(backend.modules, options), 'float32', tensors);
    const moment = (name: string): TensorData => {
      const tensor = saved.get(name);
      if (tensor?.dtype !== 'float32' || tensor.shape.join() !== adapter.shape.join())
        throw new TypeError(`'${name}' is missing or does not fit the adapter`);
      return tensor;
    };
    return {
      progress: parseProgress(await readFile(join(newest.path, 'progress.json'), 'utf8'), newest.step),
      values: {
        adapter,
        firstMoment: moment('firstMoment'),
        secondMoment: moment('secondMoment'),
        average: saved.has('average') ? moment('average') : undefined,
      },
    };
  } catch (cause) {
    throw damaged(newest.path, cause);
  }
}

function damaged(path: string, cause: unknown): Error {
  return rlErrors.error('GVU_RUN_CHECKPOINT', `The checkpoint '${path}' cannot be used: ${reasonOf(cause)}.`, {
    hint: 'Remove this directory to go on from the checkpoint before it.',
    cause,
  });
}

function parseProgress(text: string, step: number): RunProgress {
  const json: unknown = JSON.parse(text);
  if (!isRecord(json) || json.step !== step || !Number.isSafeInteger(json.updates) || !isRecord(json.guards))
    throw new TypeError('progress.json is not that of this step');
  // Written by `writeCheckpoint`, and its whole directory appeared at once.
  return json as unknown as RunProgress;
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx');
  await file.writeFile(text);
  await file.sync();
}
