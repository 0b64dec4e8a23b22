/** A backend to draw and read with from the command line, with or without an adapter. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord, type PluginHost } from '@gvu/core';
import { type ActiveAdapter, type Backend, backends } from '@gvu/models';
import { loraLayout, packFlat, Runtime, readAdapter } from '@gvu/onnx';
import { readRunConfig } from '@gvu/rl';
import { type EngineOptions, runtimeOptions } from '../commands/shared-options.ts';
import { findPart } from '../config/resolve-parts.ts';
import { openHost } from '../host.ts';
import { isRun, requireAdapter } from '../runs/run-folder.ts';

export interface ModelOptions extends EngineOptions {
  readonly backend?: string;
  readonly model?: string;
  /** A directory in PEFT's layout, a checkpoint, or a run, whose newest checkpoint is meant. */
  readonly adapter?: string;
  readonly plugin?: readonly string[];
}

export interface OpenModel {
  readonly backend: Backend;
  readonly adapter: ActiveAdapter | undefined;
  readonly host: PluginHost;
  readonly runtime: Runtime;
}

/** Opens the model, lends it to `use` and closes it again. */
export async function withModel<T>(options: ModelOptions, use: (model: OpenModel) => Promise<T>): Promise<T> {
  const run =
    options.adapter !== undefined && isRun(options.adapter) ? await readRunConfig(options.adapter) : undefined;
  const adapterDirectory = options.adapter === undefined ? undefined : await findAdapter(options.adapter);
  const name = options.backend ?? run?.backend.use ?? 'shapes';
  // The options of the run are those of its backend only.
  const inherited = name === run?.backend.use && isRecord(run.backend.options) ? run.backend.options : {};
  const backendOptions = { ...inherited, ...(options.model !== undefined && { model: options.model }) };

  await using host = await openHost(options.plugin ?? run?.plugins);
  findPart(host, { kind: 'backends', use: name });
  await using runtime = await Runtime.create(runtimeOptions(options));
  await using backend = await host.create(backends, name, { options: backendOptions, deps: { runtime } });
  if (adapterDirectory === undefined) return await use({ backend, adapter: undefined, host, runtime });

  const { options: lora, tensors } = await readAdapter(adapterDirectory, backend.modules);
  const adapter = packFlat(loraLayout(backend.modules, lora), 'float32', tensors);
  await using variables = await runtime.variables({ adapter });
  return await use({ backend, adapter: { options: lora, variables }, host, runtime });
}

/** What is not found is left as it is, for the reader of adapters to say what it misses. */
async function findAdapter(place: string): Promise<string> {
  if (isRun(place)) return await requireAdapter(place);
  const inCheckpoint = join(place, 'adapter');
  return existsSync(inCheckpoint) ? inCheckpoint : place;
}
