import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import { Runtime, sizeOf } from '@gvu/onnx';
import { expect, it } from 'vitest';
import { createJanusBackend } from '../src/backend.ts';
import { drawnSide, janusConfig, visionTokens } from '../src/checkpoint/config.ts';
import { janusParameters } from '../src/checkpoint/open.ts';
import { backendConfig } from '../src/options.ts';
import { releases, writeSyntheticCheckpoint } from '../tools/synthetic.ts';
import { fixtureJson } from './fixtures.ts';

it('a synthetic checkpoint works: it draws and reads, and its seed gives it again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gvu-janus-'));
  await using runtime = await Runtime.create({ threads: 1 });
  const options = {
    config: fixtureJson<Record<string, unknown>>('janus-tiny', 'config.json'),
    firstControlId: 300,
    shardBytes: 100_000,
    seed: 3,
  };
  const open = (name: string) =>
    createJanusBackend(backendConfig.parse({ model: join(folder, name) }, { source: 'test' }), { runtime });
  try {
    const shards: string[] = [];
    const count = await writeSyntheticCheckpoint(join(folder, 'a'), {
      ...options,
      onShard: (name) => shards.push(name),
    });
    expect(shards.length).toBeGreaterThan(3);
    await writeSyntheticCheckpoint(join(folder, 'b'), options);
    await writeSyntheticCheckpoint(join(folder, 'c'), { ...options, seed: 4 });
    const [a, b, c] = [await open('a'), await open('b'), await open('c')];
    expect(a.version).toBe(b.version);
    expect(a.version).not.toBe(c.version);
    const { needed, encoder } = janusParameters(janusConfig(options.config));
    const total = [...needed, ...encoder].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    expect(count).toBe(total);
    const prompt = 'a red cube, ein roter Würfel';
    const [drawing] = await a.draw([{ prompt, randomness: randomStream(1, 'test').at() }]);
    expect(drawing?.tokens).toHaveLength(a.image.decisions);
    const [trace] = await a.read([{ image: { none: true }, text: prompt }]);
    expect(trace?.logProbs.every((value) => Number.isFinite(value) && value < 0)).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it.each([
  ['1b', 2.09e9, 2048],
  ['7b', 7.42e9, 4096],
] as const)('the sizes of %s are those of the release', (size, about, width) => {
  const config = janusConfig(releases[size]);
  expect(config.decoder).toMatchObject({ width, headDim: 128, vocabulary: 102_400 });
  expect([drawnSide(config.vq), visionTokens(config.vision), config.maxTokens]).toEqual([384, 576, 16_384]);
  const { needed, encoder } = janusParameters(config);
  const count = [...needed, ...encoder].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  expect(count / about).toBeCloseTo(1, 1);
});
