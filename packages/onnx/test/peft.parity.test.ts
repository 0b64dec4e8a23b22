/** Adapters that PEFT 0.21 wrote: read whole, and written again so that PEFT's own file comes out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensors, readTensors } from '../src/safetensors/reader.ts';
import type { LoraModule } from '../src/training/lora.ts';
import { readAdapter, writeAdapter } from '../src/training/peft.ts';
import { fixture } from './fixtures.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const PREFIX = 'base_model.model.';

interface Order {
  order: { name: string; shape: [number, number] }[];
}

/** The modules of the model that was adapted, from the fixture's table of the adapter's tensors. */
function modulesOf(folder: string): readonly LoraModule[] {
  const { order } = JSON.parse(readFileSync(join(folder, 'lora_order.json'), 'utf8')) as Order;
  return order.flatMap(({ name, shape }, i) => {
    const kind = /lora_embedding_A$/.test(name) ? 'embedding' : /lora_A\.weight$/.test(name) ? 'linear' : undefined;
    if (!kind) return [];
    const module = name.slice(PREFIX.length).replace(/\.lora_.*$/, '');
    return [{ name: module, kind, in: shape[1], out: order[i + 1]?.shape[0] ?? 0 }];
  });
}

describe.each(['grpo-grads', 'x-omni-grpo'])('%s', (name) => {
  const folder = fixture(name);
  const modules = modulesOf(folder);
  const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));

  it('is read with its options and every value', async () => {
    const { options, tensors, baseCopies } = await readAdapter(folder, modules);
    expect(options).toEqual({ rank: config.r, alpha: config.lora_alpha, targets: config.target_modules });
    const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
    const values = await readTensors(file.tensors.values());
    expect(new Map([...tensors].map(([key, value]) => [`${PREFIX}${key}`, value]))).toEqual(values);
    expect(baseCopies).toEqual([]);
  });

  it('is written again as PEFT wrote it: the tensors byte for byte, the options one by one', async () => {
    await using directory = await temporaryDirectory();
    const copy = join(directory.path, 'copy');
    const adapter = await readAdapter(folder, modules);
    await writeAdapter(copy, adapter, {
      modules,
      baseModel: config.base_model_name_or_path,
      ...(config.task_type && { taskType: config.task_type }),
    });
    expect(JSON.parse(readFileSync(join(copy, 'adapter_config.json'), 'utf8'))).toEqual(config);
    const bytes = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
    const [theirs, ours] = await Promise.all(
      [folder, copy].map((path) => openSafetensors(join(path, 'adapter_model.safetensors'))),
    );
    expect(ours?.metadata).toEqual(new Map([['format', 'pt']]));
    // Where the fixture has the same metadata, the file is the same to the last byte.
    if (theirs?.metadata.get('format') === 'pt') expect(Buffer.compare(bytes(copy), bytes(folder))).toBe(0);
    expect(await readAdapter(copy, modules)).toEqual(adapter);
  });
});
