/** Adapter directories that are odd, hostile or cut short. Those that PEFT wrote are in `test/peft.parity.test.ts`. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { writeSafetensors } from '../safetensors/writer.ts';
import { type TensorData, tensorData, toNumbers } from '../tensor-data.ts';
import { initialLora, type LoraModule, loraLayout } from './lora.ts';
import { readAdapter, writeAdapter } from './peft.ts';

const modules: readonly LoraModule[] = [
  { name: 'model.embed_tokens', kind: 'embedding', in: 5, out: 4 },
  { name: 'model.layers.0.q_proj', kind: 'linear', in: 4, out: 6 },
  { name: 'model.layers.1.q_proj', kind: 'linear', in: 4, out: 6 },
  { name: 'lm_head', kind: 'linear', in: 4, out: 5 },
];
const options = { rank: 2, alpha: 4, targets: ['q_proj', 'embed_tokens'] };
const adapter = { options, tensors: initialLora(modules, options, 3) };

/** An adapter directory written by hand, with another configuration or other tensors. */
async function written(
  path: string,
  { config = {}, tensors = new Map() }: { config?: object; tensors?: ReadonlyMap<string, TensorData | undefined> },
): Promise<string> {
  const directory = join(path, 'adapter');
  await mkdir(directory);
  const all = new Map<string, TensorData | undefined>(
    [...adapter.tensors].map(([name, tensor]) => [`base_model.model.${name}`, tensor]),
  );
  for (const [name, tensor] of tensors) all.set(name, tensor);
  const kept = [...all].flatMap(([name, tensor]) => (tensor ? [[name, tensor] as const] : []));
  await writeSafetensors(join(directory, 'adapter_model.safetensors'), new Map(kept));
  const plain = { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: options.targets };
  await writeFile(join(directory, 'adapter_config.json'), JSON.stringify({ ...plain, ...config }));
  return directory;
}

describe('readAdapter', () => {
  it('gives back what writeAdapter wrote', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'step-000100');
    await writeAdapter(path, adapter, { modules });
    expect(await readAdapter(path, modules)).toEqual({ ...adapter, baseCopies: [] });
  });

  it('refuses every option that would change the numbers, by name and all at once', async () => {
    await using directory = await temporaryDirectory();
    const config = {
      use_dora: true,
      use_rslora: true,
      modules_to_save: ['lm_head'],
      rank_pattern: { q_proj: 8 },
      alpha_pattern: { q_proj: 8 },
      lora_bias: true,
      bias: 'lora_only',
      fan_in_fan_out: true,
      init_lora_weights: 'pissa',
      trainable_token_indices: [1, 2],
      target_parameters: ['experts.gate_up_proj'],
      an_option_of_next_year: { strength: 2 },
    };
    const refused = readAdapter(await written(directory.path, { config }), modules);
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_CONFIG_INVALID',
      message: expect.stringContaining('/use_dora must be'),
    });
    const error: unknown = await refused.catch((thrown: unknown) => thrown);
    const problems = error instanceof Error && 'details' in error ? error.details : undefined;
    expect(problems).toMatchObject({
      problems: expect.arrayContaining(
        Object.keys(config).map((key) => expect.objectContaining({ pointer: `/${key}` })),
      ),
    });
  });

  it.each([
    ['another method', { peft_type: 'IA3' }, /peft_type must be "LORA"/],
    ['no rank', { r: undefined }, /\/r is missing/],
    ['a broken scale', { lora_alpha: 0 }, /lora_alpha must be a number \(above 0\)/],
  ])('refuses %s', async (_, config, message) => {
    await using directory = await temporaryDirectory();
    await expect(readAdapter(await written(directory.path, { config }), modules)).rejects.toThrow(message);
  });

  it('reads options of PEFT that are off, or without effect on the numbers', async () => {
    await using directory = await temporaryDirectory();
    const config = {
      use_dora: false,
      rank_pattern: {},
      velora_config: null,
      lora_dropout: 0.1,
      qalora_group_size: 16,
      peft_version: '0.21.0',
      init_lora_weights: 'gaussian',
    };
    expect((await readAdapter(await written(directory.path, { config }), modules)).options).toEqual(options);
  });

  it.each([
    ['a regular expression', { target_modules: '.*\\.(q_proj|embed_tokens)' }],
    ['layers by number', { layers_to_transform: [0, 1] }],
    ['excluded modules', { target_modules: ['q_proj', 'embed_tokens', 'lm_head'], exclude_modules: ['lm_head'] }],
  ])('takes the modules from the tensors where the configuration selects by %s', async (_, config) => {
    await using directory = await temporaryDirectory();
    const { options: found, tensors } = await readAdapter(await written(directory.path, { config }), modules);
    expect(new Set(found.targets)).toEqual(
      new Set(['model.embed_tokens', 'model.layers.0.q_proj', 'model.layers.1.q_proj']),
    );
    expect(tensors).toEqual(adapter.tensors);
  });

  it('leaves out the copies of base weights that PEFT adds, and names them', async () => {
    await using directory = await temporaryDirectory();
    const name = 'base_model.model.model.embed_tokens.base_layer.weight';
    const tensors = new Map([[name, tensorData('float32', [5, 4], new Float32Array(20))]]);
    const read = await readAdapter(await written(directory.path, { tensors }), modules);
    expect(read).toEqual({ ...adapter, baseCopies: [name] });
  });

  it('reads half precision into float32', async () => {
    await using directory = await temporaryDirectory();
    const name = 'model.layers.1.q_proj.lora_B.weight';
    const values = Array.from({ length: 12 }, (_, i) => i / 8);
    const tensors = new Map([[`base_model.model.${name}`, tensorData('bfloat16', [6, 2], values)]]);
    const read = await readAdapter(await written(directory.path, { tensors }), modules);
    expect(read.tensors.get(name)).toEqual(tensorData('float32', [6, 2], values));
  });

  it('refuses tensors that are missing, misshapen, not of numbers, or not of the adapter, all at once', async () => {
    await using directory = await temporaryDirectory();
    const prefix = 'base_model.model.model.layers';
    const tensors = new Map<string, TensorData | undefined>([
      [`${prefix}.0.q_proj.lora_A.weight`, undefined],
      [`${prefix}.0.q_proj.lora_B.weight`, tensorData('float32', [2, 6], new Float32Array(12))],
      [`${prefix}.1.q_proj.lora_A.weight`, tensorData('int64', [2, 4], Array(8).fill(0))],
      [`${prefix}.1.q_proj.lora_magnitude_vector`, tensorData('float32', [6], new Float32Array(6))],
      ['model.layers.1.q_proj.lora_A.weight', tensorData('float32', [2, 4], new Float32Array(8))],
    ]);
    const refused = readAdapter(await written(directory.path, { tensors }), modules);
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_LORA_TENSORS',
      details: {
        problems: [
          `'${prefix}.0.q_proj.lora_A.weight' is missing`,
          `'${prefix}.1.q_proj.lora_A.weight' is I64, which is not floating point`,
          `'${prefix}.0.q_proj.lora_B.weight' is [2, 6], not [6, 2]`,
          `'${prefix}.1.q_proj.lora_magnitude_vector' is not expected`,
          `'model.layers.1.q_proj.lora_A.weight' is not expected`,
        ],
      },
    });
  });

  it('refuses an adapter of another model', async () => {
    await using directory = await temporaryDirectory();
    const other = modules.map((module) => ({ ...module, name: module.name.replace('q_proj', 'wq') }));
    const refused = readAdapter(await written(directory.path, {}), other);
    await expect(refused).rejects.toMatchObject({ code: 'GVU_LORA_TARGET', details: { unmatched: ['q_proj'] } });
  });

  it('says what a directory without an adapter lacks', async () => {
    await using directory = await temporaryDirectory();
    await expect(readAdapter(directory.path, modules)).rejects.toMatchObject({ code: 'GVU_LORA_READ' });
    await writeFile(join(directory.path, 'adapter_config.json'), '{ "r": ');
    await expect(readAdapter(directory.path, modules)).rejects.toMatchObject({ code: 'GVU_LORA_READ' });
    const config = { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: ['q_proj'] };
    await writeFile(join(directory.path, 'adapter_config.json'), JSON.stringify(config));
    await expect(readAdapter(directory.path, modules)).rejects.toMatchObject({ code: 'GVU_SAFETENSORS_READ' });
  });
});

describe('writeAdapter', () => {
  it('writes a directory that others may read, with nothing beside it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'adapter');
    await writeAdapter(path, adapter, { modules, baseModel: 'org/model', taskType: 'CAUSAL_LM' });
    expect(await readdir(directory.path)).toEqual(['adapter']);
    expect((await readdir(path)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o500).toBe(0o500);
    expect(JSON.parse(await readFile(join(path, 'adapter_config.json'), 'utf8'))).toEqual({
      base_model_name_or_path: 'org/model',
      bias: 'none',
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      lora_alpha: 4,
      lora_dropout: 0,
      modules_to_save: null,
      peft_type: 'LORA',
      r: 2,
      target_modules: ['q_proj', 'embed_tokens'],
      task_type: 'CAUSAL_LM',
      use_dora: false,
      use_rslora: false,
    });
  });

  it('replaces nothing, and leaves nothing behind when it fails', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'adapter');
    await writeAdapter(path, adapter, { modules });
    const changed = new Map(
      [...adapter.tensors].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map(() => 1) }]),
    );
    const again = writeAdapter(path, { options, tensors: changed }, { modules });
    await expect(again).rejects.toMatchObject({ code: 'GVU_LORA_WRITE' });
    expect(await readdir(directory.path)).toEqual(['adapter']);
    expect((await readAdapter(path, modules)).tensors).toEqual(adapter.tensors);
    const nowhere = writeAdapter(join(directory.path, 'no', 'such'), adapter, { modules });
    await expect(nowhere).rejects.toMatchObject({ code: 'GVU_LORA_WRITE' });
  });

  it('refuses tensors that are not those of the options', async () => {
    await using directory = await temporaryDirectory();
    const [first] = loraLayout(modules, options);
    const fewer = new Map([...adapter.tensors].filter(([name]) => name !== first?.name));
    const refused = writeAdapter(join(directory.path, 'adapter'), { options, tensors: fewer }, { modules });
    await expect(refused).rejects.toMatchObject({
      code: 'GVU_LORA_TENSORS',
      details: { problems: [`'base_model.model.${first?.name}' is missing`] },
    });
    expect(await readdir(directory.path)).toEqual([]);
  });

  it('keeps values that are not finite as they are: a checkpoint tells the truth', async () => {
    await using directory = await temporaryDirectory();
    const name = 'model.embed_tokens.lora_embedding_B';
    const data = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, -0, 1, 2, 3, 4, 5);
    const tensors = new Map<string, TensorData>([
      ...adapter.tensors,
      [name, { dtype: 'float32', shape: [4, 2], data }],
    ]);
    const path = join(directory.path, 'adapter');
    await writeAdapter(path, { options, tensors }, { modules });
    const read = (await readAdapter(path, modules)).tensors.get(name);
    expect(read && toNumbers(read)).toEqual([...data]);
  });
});
