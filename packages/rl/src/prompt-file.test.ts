import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '@gvu/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PromptFile, promptFile, promptFileConfig } from './prompt-file.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gvu-prompts-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(content: string | Uint8Array, extension = '.txt'): Promise<string> {
  const path = join(directory, `${randomBytes(6).toString('hex')}${extension}`);
  await writeFile(path, content);
  return path;
}
async function open(content: string | Uint8Array, options: object = { heldOutShare: 0 }, extension?: string) {
  const path = await write(content, extension);
  return await promptFile(promptFileConfig.parse({ path, ...options }, { source: 'test' }));
}

const stream = randomStream(1, 'test');
/** What training gives, each prompt once; so many draws that one of a few prompts is missed less than once in 1e10 runs. */
const trained = ({ train }: PromptFile, draws = 400) =>
  [...new Set(Array.from({ length: draws }, (_, i) => train(stream.at(i)).prompt))].sort();
const evaluated = (file: PromptFile) => file.heldOut({ seed: 1, perTag: Number.POSITIVE_INFINITY });
const numbered = (n: number) => Array.from({ length: n }, (_, i) => `prompt number ${i}`);

describe('a text file of prompts', () => {
  it.each([
    ['lines', 'a cube\ntwo balls\n'],
    ['no end of the last line', 'a cube\ntwo balls'],
    ['CRLF', 'a cube\r\ntwo balls\r\n'],
    ['a byte order mark', '\uFEFFa cube\ntwo balls\n'],
    ['space around', '  a cube\t\ntwo balls \n'],
  ])('may have %s', async (_, content) => {
    const file = await open(content);
    expect(trained(file)).toEqual(['a cube', 'two balls']);
    expect(file.counts).toEqual({ rows: 2, duplicates: 0, heldOutToo: 0, empty: 0, train: 2, heldOut: 0 });
  });

  it('is counted: empty lines, and prompts that differ only in case, spacing or Unicode form', async () => {
    const file = await open('a caf\u00e9\n\nA Cafe\u0301\n \t\na  café\r\ntwo\n\n');
    expect(trained(file)).toEqual(['a café', 'two']);
    expect(file.counts).toEqual({ rows: 4, duplicates: 2, heldOutToo: 0, empty: 3, train: 2, heldOut: 0 });
    expect(file.description).toBe('7 lines (3 empty, 2 repeated): 2 prompts to train on, 0 held out');
    expect(file.listed?.map(({ prompt }) => prompt)).toEqual(['a caf\u00e9', 'two']);
  });
});

describe('a file of JSON lines', () => {
  it('has tags, and metadata as a whole or by itself', async () => {
    const genEval = { tag: 'counting', include: [{ class: 'bench', count: 3 }], prompt: 'three benches' };
    const rows = [
      genEval,
      { prompt: 'a cube', metadata: { include: [] }, other: 1 },
      { prompt: ' a ball ', tag: 'single' },
      { prompt: 'plain' },
    ];
    const file = await open(rows.map((row) => JSON.stringify(row)).join('\r\n'), { heldOutShare: 0 }, '.jsonl');
    const prompts = Array.from({ length: 400 }, (_, i) => file.train(stream.at(i)));
    expect(new Set(prompts)).toEqual(
      new Set([
        { prompt: 'three benches', tag: 'counting', metadata: genEval },
        { prompt: 'a cube', metadata: { include: [] } },
        { prompt: 'a ball', tag: 'single' },
        { prompt: 'plain' },
      ]),
    );
  });

  it('is refused with all lines at fault', async () => {
    const lines = ['{"prompt": "a cube"}', '{"prompt": "a cube"', '', '["a cube"]', '{"tag": "x"}', '{"prompt": " "}'];
    const path = await write([...lines, '{"prompt": "a", "tag": 3}', 'null'].join('\n'), '.jsonl');
    await expect(promptFile({ path })).rejects.toMatchObject({
      code: 'GVU_PROMPTS_LINES',
      message: expect.stringContaining(`has 6 lines without a prompt:\n  line 2 is not JSON\n  line 4 is not a JSON`),
      details: {
        problems: [
          { line: 2, message: 'is not JSON' },
          { line: 4, message: 'is not a JSON object' },
          { line: 5, message: 'has no "prompt" that is a string with words' },
          { line: 6, message: 'has no "prompt" that is a string with words' },
          { line: 7, message: 'has a "tag" that is not a string' },
          { line: 8, message: 'is not a JSON object' },
        ],
      },
    });
  });

  it('is refused in a few words when it is wrong as a whole', async () => {
    const error = await open(Array(5000).fill('no JSON').join('\n'), {}, '.jsonl').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ details: { problems: { length: 5000 } } });
    expect(String(error)).toContain('and 4990 more');
    expect(String(error).length).toBeLessThan(1000);
  });
});

describe('what is held out', () => {
  it('is never trained on, in whatever form it is written', async () => {
    const words = fc.array(fc.constantFrom('a', 'A', 'red', 'Red', 'cube', ' '), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(words, { minLength: 2, maxLength: 30 }), async (list) => {
        const content = list.map((prompt) => prompt.join(' ')).join('\n');
        const file = await open(`${content}\nanother\nyet another`, { heldOutShare: 0.5 });
        const form = (prompt: string) => prompt.toLowerCase().replace(/\s+/g, ' ');
        const [train, heldOut] = [trained(file), evaluated(file).map(({ prompt }) => prompt)].map((side) =>
          side.map(form),
        );
        expect(train?.filter((prompt) => heldOut?.includes(prompt))).toEqual([]);
        expect([...(train ?? []), ...(heldOut ?? [])]).toHaveLength(file.counts.train + file.counts.heldOut);
      }),
      { seed: 20_260_306, numRuns: 40 },
    );
  });

  it('is about the share, a tenth by default, and does not depend on the other prompts', async () => {
    const prompts = numbered(4000);
    const file = await open(prompts.join('\n'), {});
    // Standard deviation of the count: sqrt(4000 × 0.1 × 0.9) = 19.
    expect(Math.abs(file.counts.heldOut - 400)).toBeLessThan(80);
    const heldOut = new Set(evaluated(file).map(({ prompt }) => prompt));
    const half = await open(prompts.slice(2000).reverse().join('\n'), {});
    expect(new Set(evaluated(half).map(({ prompt }) => prompt))).toEqual(
      new Set(prompts.slice(2000).filter((prompt) => heldOut.has(prompt))),
    );
    const more = await open(prompts.join('\n'), { heldOutShare: 0.3 });
    const moreHeldOut = new Set(evaluated(more).map(({ prompt }) => prompt));
    expect([...heldOut].filter((prompt) => !moreHeldOut.has(prompt))).toEqual([]);
  });

  it('may be a file of its own, which training leaves out', async () => {
    const heldOutPath = await write(
      '{"prompt": "A Cube", "tag": "x"}\n{"prompt": "a cube"}\n{"prompt": "new"}',
      '.jsonl',
    );
    const file = await open('a cube\ntwo balls\n', { heldOutPath });
    expect(trained(file)).toEqual(['two balls']);
    expect(new Set(evaluated(file))).toEqual(new Set([{ prompt: 'A Cube', tag: 'x' }, { prompt: 'new' }]));
    expect(file.counts).toEqual({ rows: 5, duplicates: 1, heldOutToo: 1, empty: 0, train: 1, heldOut: 2 });
  });

  it('is given in a fixed order that the seed chooses, at most so many of each tag', async () => {
    const rows = numbered(60).map((prompt, i) => JSON.stringify({ prompt, ...(i % 3 > 0 && { tag: `tag ${i % 3}` }) }));
    const heldOutPath = await write([...rows, '{"prompt": "alone", "tag": "rare"}'].join('\n'), '.jsonl');
    const file = await open('a cube', { heldOutPath });
    const few = file.heldOut({ seed: 5, perTag: 4 });
    expect(few.map(({ tag }) => tag)).toEqual([
      ...Array(4).fill(undefined),
      ...Array(4).fill('tag 1'),
      ...Array(4).fill('tag 2'),
      'rare',
    ]);
    expect(new Set(few.map(({ prompt }) => prompt)).size).toBe(13);
    expect(file.heldOut({ seed: 5, perTag: 4 })).toEqual(few);
    expect(file.heldOut({ seed: 6, perTag: 4 })).not.toEqual(few);
    expect(file.heldOut({ seed: 5, perTag: 0 })).toEqual([]);
  });
});

describe('training', () => {
  it('draws each prompt equally often, by its place alone', async () => {
    const file = await open(numbered(4).join('\n'));
    const places = Array.from({ length: 8000 }, (_, i) => stream.at(i));
    const drawn = places.map((place) => file.train(place).prompt);
    expect(places.toReversed().map((place) => file.train(place).prompt)).toEqual(drawn.toReversed());
    // Standard deviation of a count: sqrt(8000 × 1/4 × 3/4) = 39.
    for (const prompt of numbered(4))
      expect(Math.abs(drawn.filter((other) => other === prompt).length - 2000)).toBeLessThan(175);
  });

  it('has another version when the files or what is held out change', async () => {
    const heldOutPath = await write('a cube');
    const versions = await Promise.all([
      open('a cube\ntwo'),
      open('a cube\ntwo\n'),
      open('a cube\ntwo', { heldOutShare: 0.2 }),
      open('a cube\ntwo', { heldOutPath }),
    ]);
    expect(new Set(versions.map(({ version }) => version)).size).toBe(4);
    expect((await open('a cube\ntwo')).version).toBe(versions[0]?.version);
  });
});

it('reads 100,000 rows', { timeout: 120_000 }, async () => {
  const rows = numbered(100_000).map((prompt) =>
    JSON.stringify({ prompt, tag: 'position', include: [{ class: 'cube' }] }),
  );
  const path = await write(rows.join('\n'), '.jsonl');
  const { counts } = await promptFile({ path });
  expect(counts.train + counts.heldOut).toBe(100_000);
});

describe('a file that cannot be used', () => {
  const failing = (path: string, options: object = {}) => promptFile({ path, ...options });
  const file = (text: string) => ({ code: 'GVU_PROMPTS_FILE', message: expect.stringContaining(text) });

  it('is refused with the reason', async () => {
    await expect(failing(join(directory, 'none.txt'))).rejects.toMatchObject(file('none.txt does not exist'));
    await expect(failing(await write('a', '.csv'))).rejects.toMatchObject(file('.csv is neither a .txt nor a .jsonl'));
    await mkdir(join(directory, 'folder.txt'));
    await expect(failing(join(directory, 'folder.txt'))).rejects.toMatchObject(file('cannot be read: EISDIR'));
    await expect(failing(await write(Buffer.from('\uFEFFa cube\n', 'utf16le')))).rejects.toMatchObject(
      file('is not UTF-8'),
    );
    const good = await write('a cube');
    const missing = join(directory, 'none.jsonl');
    await expect(failing(good, { heldOutPath: missing })).rejects.toMatchObject(file('none.jsonl does not exist'));
  });

  it.each([
    ['nothing', '', {}, 'has no prompts; 0 lines are empty'],
    ['a byte order mark alone', '\uFEFF', {}, 'has no prompts; 0 lines are empty'],
    ['only empty lines', '\r\n\n  \n', {}, 'has no prompts; 3 lines are empty'],
    ['only what is held out', 'prompt number 1', { heldOutShare: 0.999_999 }, 'All 1 prompts of'],
  ])('is refused when it has %s', async (_, content, options, message) => {
    await expect(open(content, options)).rejects.toMatchObject({
      code: 'GVU_PROMPTS_EMPTY',
      message: expect.stringContaining(message),
    });
  });

  it('is refused when it is to be all that evaluation has, and is empty', async () => {
    const heldOutPath = await write('\n');
    await expect(open('a cube', { heldOutPath })).rejects.toMatchObject({ code: 'GVU_PROMPTS_EMPTY' });
  });

  it('is refused when two options say what is held out', async () => {
    const path = await write('a cube');
    await expect(failing(path, { heldOutShare: 0.1, heldOutPath: path })).rejects.toMatchObject({
      code: 'GVU_RL_OPTIONS',
    });
  });
});
