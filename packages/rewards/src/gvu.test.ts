import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PlainReaderOptions, plainReader } from '../test/plain-reader.ts';
import { gvu, gvuConfig, gvuLog, gvuPmi, gvuPmiConfig } from './gvu.ts';
import type { Rollout } from './reward.ts';
import { scoreRollouts } from './score.ts';

const { signal } = new AbortController();
const source = { source: 'test' };

const makers = {
  gvu: (options: object, deps: Parameters<typeof gvu>[1]) => gvu(gvuConfig.parse(options, source), deps),
  'gvu-log': (options: object, deps: Parameters<typeof gvu>[1]) => gvuLog(gvuConfig.parse(options, source), deps),
  'gvu-pmi': (options: object, deps: Parameters<typeof gvu>[1]) => gvuPmi(gvuPmiConfig.parse(options, source), deps),
};
type Name = keyof typeof makers;
const names: readonly Name[] = ['gvu', 'gvu-log', 'gvu-pmi'];

/** A reward, with the reader that it asks. */
function setUp(name: Name, options: object = {}, readerOptions: PlainReaderOptions = {}) {
  const reader = plainReader(readerOptions);
  return { reader, reward: makers[name](options, { reader: () => reader }) };
}

const rollout = (prompt: string, sample: number): Rollout => ({
  prompt,
  address: { step: 0, prompt: 0, sample },
  tokens: Int32Array.of(sample, 7),
  pixels: { width: 1, height: 1, data: Uint8Array.of(sample, 8, 9) },
});
const batch = [rollout('a red cube', 0), rollout('a red cube', 1), rollout('two blue balls', 0)];
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('self-rewards', () => {
  it('are the mean log-probability of the prompt, its exponential, and its gain over the prior', async () => {
    for (const name of names) {
      const { reward, reader } = setUp(name, name === 'gvu-pmi' ? { alpha: 0.7 } : {});
      const { values, perToken } = await reward.score(batch, { signal });
      const priors = await reader.read(
        batch.map(({ prompt }) => ({ image: { none: true }, text: prompt })),
        { signal },
      );
      for (const [row, { prompt }] of batch.entries()) {
        const { tokens, logProbs } = perToken?.[row] ?? { tokens: [], logProbs: [] };
        expect(tokens).toEqual(prompt.split(' '));
        const expected = {
          gvu: Math.exp(mean(logProbs)),
          'gvu-log': mean(logProbs),
          'gvu-pmi': mean(logProbs) - 0.7 * mean(priors[row]?.logProbs ?? []),
        }[name];
        expect(Math.abs((values[row] ?? Number.NaN) - expected)).toBeLessThan(1e-12);
      }
      expect(new Set(values).size).toBe(3);
    }
  });

  it('do not underflow for 2,000 tokens', async () => {
    const long = [rollout(Array(2000).fill('word').join(' '), 0)];
    const logProb = (_: string, image: object) => ('none' in image ? -4 : Math.log(0.045));
    const scoreBy = async (name: Name) => (await setUp(name, {}, { logProb }).reward.score(long, { signal })).values[0];
    expect(await scoreBy('gvu')).toBeCloseTo(0.045, 12);
    expect(await scoreBy('gvu-log')).toBeCloseTo(Math.log(0.045), 11);
    expect(await scoreBy('gvu-pmi')).toBeCloseTo(Math.log(0.045) + 4, 11);
  });

  it('say who judged, by what', async () => {
    for (const name of names)
      for (const kind of ['frozen', 'live', 'ema'] as const) {
        const reader = plainReader({ kind });
        const reward = makers[name](
          { teacher: kind },
          { reader: (asked) => (asked === kind ? reader : expect.fail()) },
        );
        const teacher = { kind, version: 'base', representation: 'emitted-tokens' };
        expect(await reward.score(batch, { signal })).toMatchObject({ teacher });
        reader.setVersion('after step 1');
        const later = { ...teacher, version: 'after step 1' };
        expect(await reward.score(batch, { signal })).toMatchObject({ teacher: later });
        expect(reward.deterministic).toBe(kind === 'frozen');
      }
    expect(gvuConfig.parse({}, source)).toEqual({ teacher: 'frozen' });
  });

  it('show the judge what the representation is made of, and ask for nothing else', async () => {
    const images = [
      ['emitted-tokens', 'tokens'],
      ['retokenised-pixels', 'pixels'],
      ['features', 'pixels'],
    ] as const;
    for (const [representation, field] of images) {
      const representations = [representation, 'emitted-tokens'] as const;
      for (const options of [{}, { representation }]) {
        const { reward, reader } = setUp('gvu', options, { representations });
        expect(reward.inputs).toEqual([field]);
        const { teacher } = await reward.score(batch, { signal });
        expect(teacher?.representation).toBe(representation);
        expect(reader.calls).toEqual([
          batch.map((drawn) => ({ image: { [field]: drawn[field] }, text: drawn.prompt })),
        ]);
      }
    }
  });

  it('refuse a representation that the judge cannot read, naming those it can', () => {
    for (const name of names)
      expect(() => setUp(name, { representation: 'features' })).toThrow(
        expect.objectContaining({
          code: 'GVU_REWARD_REPRESENTATION',
          message: expect.stringContaining('cannot read features; it reads emitted-tokens, retokenised-pixels.'),
        }),
      );
    expect(() => setUp('gvu', {}, { representations: [] })).toThrow('cannot read images; it reads none');
  });

  it('put the instruction before the prompt, with the image and without, and into their version', async () => {
    const plain = setUp('gvu-pmi');
    const instructed = setUp('gvu-pmi', { instruction: 'Say "what" is there.' });
    const before = await plain.reward.score(batch, { signal });
    const after = await instructed.reward.score(batch, { signal });
    expect(after.values).not.toEqual(before.values);
    for (const { instruction } of instructed.reader.calls.flat()) expect(instruction).toBe('Say "what" is there.');
    expect(plain.reward.version).toBe('1 teacher="frozen" representation="emitted-tokens" alpha=1');
    expect(instructed.reward.version).toContain('instruction="Say \\"what\\" is there."');
  });

  it('give each rollout the same number in any batch', async () => {
    const drawn = fc.record({ prompt: fc.constantFrom('a cube', 'a red cube', 'two'), sample: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(drawn, { maxLength: 8 }), fc.nat(8), async (list, cut) => {
        const rollouts = list.map(({ prompt, sample }) => rollout(prompt, sample));
        for (const name of names) {
          const { reward } = setUp(name);
          const { values } = await reward.score(rollouts, { signal });
          const parts = [rollouts.slice(0, cut), rollouts.slice(cut)].map((part) => reward.score(part, { signal }));
          expect((await Promise.all(parts)).flatMap((part) => part.values)).toEqual(values);
        }
      }),
      { seed: 20_260_306, numRuns: 50 },
    );
  });

  it('cannot judge a prompt with an impossible or without any token, and judge the others', async () => {
    const logProb = (word: string) => (word === 'never' ? Number.NEGATIVE_INFINITY : -1);
    const rollouts = [rollout('a cube', 0), rollout('never a cube', 0), rollout('', 0)];
    for (const name of names) {
      const [scored] = await scoreRollouts(
        [{ reward: setUp(name, {}, { logProb }).reward, weight: 1, onError: 'fail' }],
        rollouts,
      );
      const first = { gvu: Math.exp(-1), 'gvu-log': -1, 'gvu-pmi': 0 }[name];
      expect(scored).toMatchObject({ values: [first, Number.NaN, Number.NaN], failures: 0 });
    }
  });

  it('stay in their range where rounding leaves a token above probability 1', async () => {
    const rounded = { logProb: () => 5e-5 };
    expect((await setUp('gvu', {}, rounded).reward.score(batch, { signal })).values).toEqual([1, 1, 1]);
    expect((await setUp('gvu-log', {}, rounded).reward.score(batch, { signal })).values).toEqual([0, 0, 0]);
  });

  it('name the rollout that lacks what they look at', async () => {
    const { tokens: _, ...untold } = rollout('a cube', 0);
    await expect(setUp('gvu').reward.score([rollout('a cube', 1), untold], { signal })).rejects.toMatchObject({
      code: 'GVU_REWARD_INPUT',
      message: expect.stringContaining(`Rollout 1 ("a cube") has no tokens`),
    });
  });

  it.each([
    ['fewer answers than questions', [], 'gave 0 answers to 1 questions'],
    ['tokens without numbers', [{ tokens: ['a', 'cube'], logProbs: [-1] }], 'gave 1 log-probabilities for 2 tokens'],
    ['what is no log-probability', [{ tokens: ['a'], logProbs: [0.5] }], 'token 0 of the prompt is 0.5'],
  ])('do not take %s from a judge', async (_, answer, message) => {
    const reader = { ...plainReader(), read: async () => answer };
    await expect(
      makers.gvu({}, { reader: () => reader }).score([rollout('a cube', 0)], { signal }),
    ).rejects.toMatchObject({ code: 'GVU_REWARD_LIKELIHOOD', message: expect.stringContaining(message) });
  });

  it('end with the reason of an abort', async () => {
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(setUp('gvu').reward.score(batch, { signal: aborted })).rejects.toThrow('enough');
  });
});

describe('the prior of gvu-pmi', () => {
  it('is asked for once for each prompt and version of the judge, in the same call as the images', async () => {
    const { reward, reader } = setUp('gvu-pmi');
    const asked = async () => {
      reader.calls.length = 0;
      await reward.score(batch, { signal });
      expect(reader.calls).toHaveLength(1);
      return reader.calls.flat().filter(({ image }) => 'none' in image);
    };
    const both = ['a red cube', 'two blue balls'].map((text) => ({ image: { none: true }, text }));
    expect(await asked()).toEqual(both);
    expect(await asked()).toEqual([]);
    reader.setVersion('after step 1');
    expect(await asked()).toEqual(both);
  });

  it('is told beside the numbers, without infinities', async () => {
    const logProb = (word: string, image: object) =>
      word === 'never' && 'none' in image ? Number.NEGATIVE_INFINITY : -1;
    const { reward } = setUp('gvu-pmi', {}, { logProb });
    const { values, trace } = await reward.score([rollout('never a cube', 0)], { signal });
    expect(values).toEqual([Number.NaN]);
    expect(trace).toEqual([{ priorLogProbs: [null, -1, -1] }]);
  });

  it('is refused when it has other tokens than the prompt had with the image', async () => {
    const reader = plainReader();
    const read: typeof reader.read = async (requests) =>
      requests.map(({ image }) => ('none' in image ? { tokens: [], logProbs: [] } : { tokens: ['a'], logProbs: [-1] }));
    await expect(
      makers['gvu-pmi']({}, { reader: () => ({ ...reader, read }) }).score([rollout('a', 0)], { signal }),
    ).rejects.toThrow('1 tokens have 0 log-probabilities without the image');
  });
});
