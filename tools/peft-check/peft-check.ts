/** Writes an adapter, has PEFT load it, and compares the logits of both: see README.md. The argument is a Python with PEFT. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNormal, randomStream } from '@gvu/core';
import {
  checkpointWeights,
  createDecoder,
  createModules,
  decoderConfig,
  decoderModules,
  sequenceLogits,
} from '@gvu/models';
import {
  compile,
  constantData,
  createGraph,
  initialLora,
  input,
  type LoraAdapter,
  loraLayout,
  openCheckpoint,
  openSafetensors,
  output,
  Runtime,
  readAdapter,
  readTensors,
  sizeOf,
  type TensorData,
  tensorData,
  toNumbers,
  writeAdapter,
  writeSafetensors,
} from '@gvu/onnx';

const model = join(import.meta.dirname, '../../fixtures/qwen2-tiny');
const python = process.argv[2] ?? 'python3';
const config = decoderConfig(JSON.parse(await readFile(join(model, 'config.json'), 'utf8')));
const modules = decoderModules(config);
const ids = tensorData(
  'int64',
  [2, 9],
  Array.from({ length: 18 }, (_, i) => (37 * i + 5) % config.vocabulary),
);

/** Random values in all matrices: those that an adapter starts from would change nothing. */
function randomAdapter(): LoraAdapter {
  const targets = [...new Set(modules.map(({ name }) => name.split('.').at(-1) ?? name))];
  const options = { rank: 4, alpha: 6, targets };
  const tensors = new Map<string, TensorData>(initialLora(modules, options, 1));
  for (const [i, { name, shape }] of loraLayout(modules, options).entries()) {
    const data = new Float32Array(sizeOf(shape));
    fillNormal(data, randomStream(2, 'peft-check').at(i));
    tensors.set(name, { dtype: 'float32', shape, data: data.map((value) => 0.2 * value) });
  }
  return { options, tensors };
}

async function logits({ options, tensors }: LoraAdapter): Promise<TensorData> {
  const graph = createGraph({ name: 'peft-check' });
  const inputs = new Map([...tensors].map(([name, { dtype, shape }]) => [name, input(graph, name, { dtype, shape })]));
  const network = createModules(graph, checkpointWeights(graph, await openCheckpoint(model)), {
    tensors: inputs,
    scale: options.alpha / options.rank,
  });
  const positions = tensorData('int64', ids.shape, [...Array(9).keys(), ...Array(9).keys()]);
  const batch = { ids: constantData(graph, ids), positions: constantData(graph, positions) };
  output('logits', sequenceLogits(createDecoder(network, config, { positions: 9 }), batch));
  await using runtime = await Runtime.create({ threads: 1 });
  await using session = await runtime.load(compile(graph));
  const { logits: result } = await session.run(Object.fromEntries(tensors));
  if (!result) throw new Error('the program has that output');
  return result;
}

function difference(a: TensorData, b: TensorData | undefined): number {
  const other = b ? toNumbers(b) : [];
  return toNumbers(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - (other[i] ?? Number.NaN))), 0);
}

const folder = await mkdtemp(join(tmpdir(), 'gvu-peft-check-'));
try {
  const adapter = randomAdapter();
  await writeAdapter(join(folder, 'adapter'), adapter, { modules, baseModel: model, taskType: 'CAUSAL_LM' });
  await writeSafetensors(join(folder, 'ids.safetensors'), { ids });
  const { status, stdout } = spawnSync(python, [join(import.meta.dirname, 'check.py'), folder, model], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${python} ended with ${status}`);

  const theirs = await readTensors((await openSafetensors(join(folder, 'theirs.safetensors'))).tensors.values());
  const zeros = [...adapter.tensors].map(([name, { shape }]) => {
    return [name, tensorData('float32', shape, new Float32Array(sizeOf(shape)))] as const;
  });
  const [on, off] = [await logits(adapter), await logits({ ...adapter, tensors: new Map(zeros) })];
  const saved = await readAdapter(join(folder, 'theirs'), modules);
  const report = {
    on: difference(on, theirs.get('on')),
    off: difference(off, theirs.get('off')),
    effect: difference(on, off),
    readBack: [...adapter.tensors].every(([name, tensor]) => difference(tensor, saved.tensors.get(name)) === 0),
    baseCopies: saved.baseCopies,
  };
  const ok = report.on < 1e-4 && report.off < 1e-4 && report.effect > 1 && report.readBack;
  process.stdout.write(`${JSON.stringify(report)}\n${ok ? 'ok' : 'FAIL'}: ${stdout.trim()}\n`);
  process.exitCode = ok ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
