/**
 * `npm run bench:engine`: what the engine makes of the processor, as ratios within one run. Every contender runs once a round, on
 * two threads, with the same numbers; when `bench/peers` is installed, PyTorch takes part and must first agree on loss, gradients
 * and tokens. The last line is one JSON object. Options: a number of rounds (default 15).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  biasCorrections,
  flatSize,
  packFlat,
  Runtime,
  type Session,
  type TensorData,
  tensorData,
  toNumbers,
  unpackFlat,
} from '@gvu/onnx';
import { adapterLayout, createCase, learningRate, optimiser, parameterLayout, writeCase } from './case.ts';
import { type Peer, peerInstalled, startPeer } from './peer.ts';
import { floorProgram, flops, generateProgram, loraProgram, MATMULS, matmulProgram, trainProgram } from './programs.ts';
import { type Contender, type Rounds, ratio, summarise, timeRounds } from './rounds.ts';

const rounds = Number(process.argv[2] ?? 15);
const MATMUL = 1024;

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

const newState = {
  'new parameters': 'parameters',
  'new firstMoment': 'firstMoment',
  'new secondMoment': 'secondMoment',
};

/** The scalars of an optimiser step. */
function schedule(step: number): Record<string, TensorData> {
  const scalars = Object.entries({ learningRate, ...biasCorrections(step, optimiser) });
  return Object.fromEntries(scalars.map(([name, value]) => [name, tensorData('float32', [], [value])]));
}

const subject = createCase();
const { tokens, targets, prompt, noise } = subject.data;
const folder = await mkdtemp(join(tmpdir(), 'gvu-bench-'));
try {
  const file = join(folder, 'case.safetensors');
  await writeCase(file, subject);
  await using runtime = await Runtime.create({ threads: 2 });
  using peer = peerInstalled ? startPeer(file) : undefined;
  const result = await measure(runtime, peer);
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await rm(folder, { recursive: true });
}

async function measure(runtime: Runtime, peer: Peer | undefined) {
  const zeros = (size: number) => ({ dtype: 'float32', shape: [size] }) as const;
  const state = (parameters: TensorData, size: number) =>
    runtime.variables({ parameters, firstMoment: zeros(size), secondMoment: zeros(size), gradient: zeros(size) });
  const weights = await state(packFlat(parameterLayout, 'float32', subject.parameters), flatSize(parameterLayout));
  const adapter = await state(packFlat(adapterLayout, 'float32', subject.adapter), flatSize(adapterLayout));
  const square = tensorData(
    'float32',
    [MATMUL, MATMUL],
    Float32Array.from({ length: MATMUL * MATMUL }, (_, i) => (i % 11) / 11 / MATMUL),
  );
  const squares = await runtime.variables({ a: square, b: square });

  const matmul = await runtime.load(matmulProgram(MATMUL));
  const forward = await runtime.load(trainProgram('forward'), { use: 'training' });
  const grads = await runtime.load(trainProgram('gradients'), { use: 'training' });
  const train = await runtime.load(trainProgram('update'), { use: 'training' });
  const lora = await runtime.load(loraProgram(subject, 'update'), { use: 'training' });
  const generate = await runtime.load(generateProgram(subject));
  const floor = await runtime.load(floorProgram(subject));

  const equality = peer ? await compare({ peer, grads, generate, weights }) : undefined;

  const batch = { tokens, targets };
  let step = 0;
  const done = async (run: Promise<unknown>): Promise<undefined> => void (await run);
  const ours: Contender[] = [
    { name: 'matmul', run: () => done(matmul.run({}, { variables: squares })) },
    { name: 'forward', run: () => done(forward.run(batch, { variables: weights })) },
    { name: 'gradients', run: () => done(grads.run(batch, { variables: weights, update: { gradient: 'gradient' } })) },
    {
      name: 'train',
      run: () => done(train.run({ ...batch, ...schedule(++step) }, { variables: weights, update: newState })),
    },
    {
      name: 'lora',
      run: () => done(lora.run({ ...batch, ...schedule(++step) }, { variables: adapter, update: newState })),
    },
    { name: 'generate', run: () => done(generate.run({ prompt, noise })) },
    { name: 'floor', run: () => done(floor.run({})) },
  ];
  const theirs = ['matmul', 'forward', 'gradients', 'train', 'lora', 'generate'].map((name) => ({
    name: `torch ${name}`,
    run: async () => milliseconds(await peer?.ask({ run: name, repeats: 1 })),
  }));
  const times = await timeRounds(peer ? [...ours, ...theirs] : ours, rounds);
  for (const [name, values] of times) log(`${name.padEnd(16)} ${JSON.stringify(summarise(values))}`);
  return report(times, equality);
}

function report(times: Rounds, equality: unknown) {
  // Rate of the whole gradient over the rate of one product: both in operations a millisecond.
  const share = summarise(
    (times.get('gradients') ?? []).map(
      (ms, i) =>
        ((flops.gradients / ms) * ((times.get('matmul') ?? [])[i] ?? Number.NaN)) / (MATMULS * 2 * MATMUL ** 3),
    ),
  );
  const speedUps = ['forward', 'gradients', 'train', 'lora', 'generate']
    .filter((name) => times.has(`torch ${name}`))
    .map((name) => [name, ratio(times, `torch ${name}`, name)]);
  return {
    milliseconds: Object.fromEntries([...times].map(([name, values]) => [name, summarise(values)])),
    ratios: {
      'rate of gradients over rate of matmul (at least 0.70)': share,
      'lora step over full step (at most 0.85)': ratio(times, 'lora', 'train'),
      'generation over its compute floor (at most 2.2)': ratio(times, 'generate', 'floor'),
      'speed of the engine over PyTorch eager (train 2, lora 2, generate 5)': Object.fromEntries(speedUps),
    },
    equality,
  };
}

/** Largest differences from PyTorch on the same numbers; throws when they are no rounding errors. */
async function compare(sides: {
  peer: Peer;
  grads: Session;
  generate: Session;
  weights: Awaited<ReturnType<Runtime['variables']>>;
}) {
  const { peer, grads, generate, weights } = sides;
  const answer = await peer.ask({ run: 'equality' });
  // The shape of the answer is documented in torch_peer.py.
  const theirs = (answer.equality ?? answer) as {
    train: { loss: number; grad_norms: Record<string, number> };
    sampled: number[][];
  };
  const { loss, gradient } = await grads.run({ tokens, targets }, { variables: weights });
  const norms = [...unpackFlat(parameterLayout, gradient ?? missing())].map(
    ([name, tensor]) => [name, Math.sqrt(toNumbers(tensor).reduce((sum, value) => sum + value * value, 0))] as const,
  );
  const lossDifference = Math.abs((toNumbers(loss ?? missing())[0] ?? Number.NaN) - theirs.train.loss);
  const worstNorm = Math.max(
    ...norms.map(([name, norm]) => Math.abs(norm / (theirs.train.grad_norms[name] ?? Number.NaN) - 1)),
  );
  const { tokens: drawn } = await generate.run({ prompt, noise });
  // PyTorch lists tokens step by step, the engine row by row.
  const ids = (theirs.sampled[0] ?? []).flatMap((_, row) => theirs.sampled.map((step) => step[row]));
  const different = toNumbers(drawn ?? missing()).filter((id, i) => id !== ids[i]).length;
  const found = {
    lossDifference,
    worstRelativeGradientNorm: worstNorm,
    differentTokens: different,
    tokens: ids.length,
  };
  log(`equality ${JSON.stringify(found)}`);
  if (!(found.lossDifference < 1e-4 && worstNorm < 1e-3 && different <= 0.02 * ids.length))
    throw new Error(`the contenders do not compute the same thing: ${JSON.stringify(found)}`);
  return found;
}

function milliseconds(answer: Readonly<Record<string, unknown>> | undefined): number {
  const [ms] = Array.isArray(answer?.ms) ? answer.ms : [];
  if (typeof ms !== 'number') throw new Error(`the PyTorch peer answered ${JSON.stringify(answer)}`);
  return ms;
}

function missing(): never {
  throw new Error('an output is missing');
}
