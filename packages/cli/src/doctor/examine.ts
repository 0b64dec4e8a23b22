/** What `gvu doctor` finds out about the machine. Nothing here throws: what does not work is a finding. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { formatPluginProblem, type JsonValue } from '@gvu/core';
import { compile, createGraph, gradients, input, mean, mul, output, Runtime, sub, tensorData } from '@gvu/onnx';
import { createHost, loadAll } from '../host.ts';
import { kernelFinding } from './kernels.ts';

export interface Finding {
  readonly name: string;
  /** `absent` is no fault: GvU does without it. */
  readonly state: 'ok' | 'absent' | 'failed';
  readonly text: string;
  /** The same for programs. */
  readonly details?: JsonValue;
}

export async function examine(): Promise<readonly Finding[]> {
  return [
    await packageVersion(),
    nodeVersion(),
    memory(),
    await disk(process.cwd()),
    ...(await engine()),
    ...(await cuda()),
    ...(await plugins()),
  ];
}

async function packageVersion(): Promise<Finding> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return { name: 'gvu', state: 'ok', text: `${version}`, details: { version } };
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major > 20 || (major === 20 && minor >= 11);
  const { platform, arch, version } = process;
  return {
    name: 'node',
    state: fits ? 'ok' : 'failed',
    text: `${version} on ${platform} ${arch}${fits ? '' : '; 20.11 or newer is needed'}`,
    details: { version, platform, arch },
  };
}

function memory(): Finding {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  const total = totalMemory();
  return {
    name: 'memory',
    state: 'ok',
    text: `${gib(freemem())} of ${gib(total)} GiB free, ${availableParallelism()} threads`,
    details: { freeBytes: freemem(), totalBytes: total, threads: availableParallelism() },
  };
}

/** A container may have less than its machine; Node says so as the memory that the process is limited to. */
export function totalMemory(): number {
  const limit = process.constrainedMemory();
  return limit !== undefined && limit > 0 && limit < totalmem() ? limit : totalmem();
}

async function disk(directory: string): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(directory);
    const gib = (bavail * bsize) / 2 ** 30;
    return {
      name: 'disk',
      // Checkpoints and pictures of a run take some hundred megabytes.
      state: gib < 0.5 ? 'failed' : 'ok',
      text: `${gib.toFixed(1)} GiB free for runs/ in ${directory}`,
      details: { freeBytes: bavail * bsize },
    };
  } catch (error) {
    return { name: 'disk', state: 'failed', text: reason(error) };
  }
}

/** Starts the engine and lets it differentiate a mean square, whose gradient is known. */
async function engine(): Promise<readonly Finding[]> {
  try {
    await using runtime = await Runtime.create({ device: 'cpu' });
    const { version, backends } = runtime.info();
    const bundled = backends.flatMap(({ name, bundled: has }) => (has ? [name] : []));
    const start = performance.now();
    const graph = createGraph({ target: 'cpu' });
    const x = input(graph, 'x', { dtype: 'float32', shape: [2] });
    const difference = sub(x, 1);
    const [slope] = gradients(mean(mul(difference, difference)), [x]);
    if (slope !== undefined) output('slope', slope);
    await using session = await runtime.load(compile(graph), { use: 'training' });
    const { slope: result } = await session.run<'slope'>({ x: tensorData('float32', [2], [1, 3]) });
    const right = [...result.data].join() === '0,2';
    const ms = Math.round(performance.now() - start);
    return [
      {
        name: 'onnxruntime',
        state: 'ok',
        text: `${version}, with ${bundled.join(', ')}`,
        details: { version, bundled },
      },
      {
        name: 'cpu',
        state: right ? 'ok' : 'failed',
        text: right ? `a gradient took ${ms} ms` : `the gradient was ${[...result.data].join(', ')}, not 0, 2`,
        details: { ms },
      },
      await kernelFinding(runtime, 'cpu'),
    ];
  } catch (error) {
    return [{ name: 'cpu', state: 'failed', text: reason(error) }];
  }
}

async function cuda(): Promise<readonly Finding[]> {
  try {
    await using runtime = await Runtime.create({ device: 'cuda' });
    return [{ name: 'cuda', state: 'ok', text: 'starts' }, await kernelFinding(runtime, 'cuda')];
  } catch (error) {
    return [{ name: 'cuda', state: 'absent', text: reason(error) }];
  }
}

async function plugins(): Promise<readonly Finding[]> {
  const host = createHost();
  try {
    const report = await loadAll(host);
    return report.plugins.map(({ specifier, name = specifier, version, state, timesMs }) => {
      const ms = Math.round(Object.values(timesMs).reduce((sum, time) => sum + time, 0));
      const problems = report.problems.filter(({ plugin }) => plugin === specifier || plugin.startsWith(`${name}@`));
      return {
        name: 'plugin',
        state: state === 'ready' ? 'ok' : 'failed',
        text:
          state === 'ready' ? `${name}@${version}, loaded in ${ms} ms` : problems.map(formatPluginProblem).join(' '),
        details: { name, state, ms },
      };
    });
  } finally {
    await host[Symbol.asyncDispose]();
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
