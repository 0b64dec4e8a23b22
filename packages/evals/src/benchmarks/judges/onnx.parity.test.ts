/**
 * Judges as ONNX files, against transformers 5.18 on the same pictures: YOLOS with its post-processing, and BLIP-VQA. Recorded by
 * `tools/fixtures/onnx_judges.py`.
 */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Pixels } from '@gvu/models';
import { Runtime } from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signal } from '../../../test/benchmark-parts.ts';
import { onnxDetectorConfig, onnxVqaConfig } from '../options.ts';
import { cropped, objectsOf, onnxDetector } from './onnx-detector.ts';
import { openPictures } from './onnx-model.ts';
import { onnxVqa } from './onnx-vqa.ts';

interface Recorded {
  readonly pictures: readonly { width: number; height: number; data: number[] }[];
  readonly detector: readonly {
    readonly shape: readonly number[];
    readonly objects: readonly { class: string; confidence: number; box: readonly number[] }[];
  }[];
  readonly vqa: readonly { readonly question: string; readonly answer: string; readonly yes: number }[];
}

// Made by `tools/fixtures`: other fixtures need not have it.
function fixture(name: string): string {
  const own = join(import.meta.dirname, '../../../../../fixtures', name);
  const given = join(resolve(process.env.GVU_FIXTURES ?? dirname(own)), name);
  return existsSync(given) ? given : own;
}

const folder = fixture('onnx-judges');
let runtime: Runtime;
let recorded: Recorded;
let pictures: Pixels[];
let scratch: string;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  recorded = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'));
  pictures = recorded.pictures.map(({ data, ...size }) => ({ ...size, data: Uint8Array.from(data) }));
  scratch = await mkdtemp(join(tmpdir(), 'gvu-onnx-judge-'));
});
afterAll(async () => {
  await runtime.dispose();
  await rm(scratch, { recursive: true });
});

const parsed = { source: 'test' };
const detector = (options: object = {}) =>
  onnxDetector(onnxDetectorConfig.parse({ model: join(folder, 'detector'), ...options }, parsed), { runtime });
const vqa = (options: object = {}) =>
  onnxVqa(onnxVqaConfig.parse({ model: join(folder, 'vqa'), ...options }, parsed), { runtime });

describe('a detector', () => {
  it('finds what its reference finds, where it finds it', async () => {
    const judge = await detector({ least: 0 });
    const classes = ['person', 'N/A', 'computer mouse', 'tv remote', 'dog'];
    const found = await judge.detect?.(
      pictures.map((pixels) => ({ pixels, classes })),
      { signal },
    );
    const official: Readonly<Record<string, string>> = { mouse: 'computer mouse', remote: 'tv remote' };
    for (const [i, { objects }] of recorded.detector.entries()) {
      expect(found?.[i]).toHaveLength(objects.length);
      for (const [j, expected] of objects.entries()) {
        const { box, ...seen } = found?.[i]?.[j] ?? { box: undefined };
        expect(seen).toMatchObject({ class: official[expected.class] ?? expected.class });
        expect(seen).toMatchObject({ confidence: expect.closeTo(expected.confidence, 4) });
        const corners = [box?.left, box?.top, box?.right, box?.bottom];
        for (const [k, corner] of expected.box.entries()) expect(corners[k]).toBeCloseTo(corner, 2);
      }
    }
  });

  it('is shown pictures of the size that its reference makes of them', async () => {
    const prepare = await openPictures(join(folder, 'detector'), { multiple: 16 });
    expect(pictures.map((picture) => prepare(picture).shape)).toEqual(recorded.detector.map(({ shape }) => shape));
  });

  it('reports only what is asked for and likely enough, with a colour where CLIP tells it', async () => {
    const judge = await detector({ least: 0.3, colors: join(fixture('clip-tiny'), 'clip') });
    const [picture] = pictures;
    if (!picture) throw new Error('no picture');
    const all = recorded.detector[0]?.objects.filter(({ confidence }) => confidence > 0.3) ?? [];
    const [first] = all;
    if (!first) throw new Error('the reference found nothing');
    const [found = []] = (await judge.detect?.([{ pixels: picture, classes: [first.class] }], { signal })) ?? [];
    expect(found).toHaveLength(all.filter((seen) => seen.class === first.class).length);
    for (const { color } of found)
      expect(color).toMatch(/^(red|orange|yellow|green|blue|purple|pink|brown|black|white)$/);
    expect(judge.version).toMatch(/^1 [0-9a-f]{16} colours by /);
    expect((await detector()).version).toMatch(/^1 [0-9a-f]{16}$/);
  });

  it('takes as many logits as names for probabilities of their own', () => {
    const tensor = (shape: number[], ...data: number[]) =>
      ({ dtype: 'float32', shape, data: Float32Array.from(data) }) as const;
    const boxes = tensor([1, 1, 4], 0.5, 0.5, 0.5, 1);
    const seen = { names: ['cat', 'dog'], size: { width: 8, height: 4 }, source: 'test' };
    const [independent] = objectsOf({ logits: tensor([1, 1, 2], -1, 2), pred_boxes: boxes }, seen);
    expect(independent).toMatchObject({ class: 'dog', confidence: expect.closeTo(1 / (1 + Math.exp(-2)), 6) });
    expect(independent?.box).toEqual({ left: 2, top: 0, right: 6, bottom: 4 });
    const [nothing] = objectsOf({ logits: tensor([1, 1, 3], 1, 0, 5), pred_boxes: boxes }, seen);
    expect(nothing).toMatchObject({
      class: 'cat',
      confidence: expect.closeTo(Math.exp(1) / (Math.exp(1) + 1 + Math.exp(5)), 6),
    });
    expect(() => objectsOf({ logits: tensor([1, 1, 5], 1, 0, 5, 0, 0), pred_boxes: boxes }, seen)).toThrow(
      /5 logits for 2 names/,
    );
  });

  it('crops to what is inside the picture', () => {
    const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i) };
    expect(cropped(picture, { left: -4, top: 1.2, right: 0.9, bottom: 9 })).toEqual({
      width: 1,
      height: 1,
      data: Uint8Array.of(9, 10, 11),
    });
    // 0.5 is 0 and 1.5 is 2.
    expect(cropped(picture, { left: 0.5, top: 0, right: 1.5, bottom: 1 })?.width).toBe(2);
    expect(cropped(picture, { left: 3, top: 0, right: 5, bottom: 2 })).toBeUndefined();
  });

  it('refuses a model of another form by what it lacks, and a file that is none', async () => {
    await expect(detector({ model: join(folder, 'vqa') })).rejects.toThrow(
      /GVU_BENCHMARK_JUDGE.*nothing is known to feed to 'input_ids'.*it has no output 'pred_boxes'/,
    );
    await expect(detector({ file: 'none.onnx' })).rejects.toThrow(/GVU_MODEL_FILES.*none.onnx/);
    await expect(detector({ file: 'config.json' })).rejects.toThrow(/GVU_MODEL_BROKEN/);
    const nameless = join(scratch, 'nameless');
    await cp(join(folder, 'detector'), nameless, { recursive: true });
    await writeFile(join(nameless, 'config.json'), '{}');
    await expect(detector({ model: nameless })).rejects.toThrow(/no id2label/);
  });
});

describe('a model that answers questions', () => {
  it('answers as its reference does, with its probability of yes', async () => {
    const judge = await vqa();
    const questions = pictures.flatMap((pixels, i) =>
      recorded.vqa.slice(3 * i, 3 * i + 3).map(({ question }) => ({ pixels, question })),
    );
    expect(await judge.answer?.(questions, { signal })).toEqual(
      recorded.vqa.map(({ answer }) => (answer.startsWith('[') ? '' : answer)),
    );
    const probabilities = (await judge.probability?.(questions, { signal })) ?? [];
    expect(probabilities).toHaveLength(6);
    for (const [i, { yes }] of recorded.vqa.entries()) expect(probabilities[i]).toBeCloseTo(yes, 5);
    expect(new Set(probabilities).size).toBe(6);
  });

  it('refuses instructions that it would not hear, and a yes that is no token', async () => {
    const [pixels] = pictures;
    if (!pixels) throw new Error('no picture');
    const judge = await vqa();
    await expect(judge.answer?.([{ pixels, system: 'Be strict.', question: 'a dog?' }], { signal })).rejects.toThrow(
      /GVU_BENCHMARK_JUDGE.*takes questions/,
    );
    await expect(vqa({ yes: 'yes indeed' })).rejects.toThrow(/"yes indeed" is no single token/);
  });
});
