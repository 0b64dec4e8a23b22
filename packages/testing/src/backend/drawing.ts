/** Checks of a backend that draws: seeds, batches, pictures, adapters, refusals. */
import assert from 'node:assert/strict';
import type { Drawing } from '@gvu/models';
import { assertAborts, assertClose, assertCoded, assertLogProbs, assertSettles } from '../assertions.ts';
import type { ConformanceCheck } from '../check.ts';
import { adapterOf, type BackendSubject, decoded, logProbsOf, tokensOf } from './subject.ts';

export function drawingChecks(subject: BackendSubject): readonly ConformanceCheck[] {
  const { create, requests, tolerances, refusedTexts, abortBudgetMs } = subject;
  const same = (found: readonly Drawing[], expected: readonly Drawing[], what: string) => {
    assert.deepEqual(tokensOf(found), tokensOf(expected), `${what}: other tokens`);
    assertClose(logProbsOf(found), logProbsOf(expected), { tolerance: tolerances.logProbs, what });
  };
  return [
    {
      name: 'gives one number for each decision, and log-probabilities',
      async run() {
        await using backend = await create();
        const drawings = await backend.draw(requests);
        assert.equal(drawings.length, requests.length);
        for (const [i, { prompt, tokens, logProbs, samplerLogProbs, free }] of drawings.entries()) {
          assert.equal(prompt, requests[i]?.prompt, 'a drawing says the prompt that it was drawn from');
          for (const list of [tokens, logProbs, samplerLogProbs, ...(free ? [free] : [])])
            assert.equal(list.length, backend.image.decisions, 'numbers in a list of a drawing');
          assertLogProbs(logProbs, 'logProbs');
          assertLogProbs(samplerLogProbs, 'samplerLogProbs');
          assert.ok(
            (free ?? new Uint8Array()).every((flag) => flag <= 1),
            '`free` has 0 and 1 alone',
          );
        }
        assert.deepEqual(await backend.draw([]), [], 'no requests have no drawings');
      },
    },
    {
      name: 'gives one drawing for one address, whichever instance draws',
      async run() {
        await using backend = await create();
        await using other = await create();
        const drawings = await backend.draw(requests);
        same(await backend.draw(requests), drawings, 'drawn again');
        same(await other.draw(requests), drawings, 'drawn by another instance');
        assert.equal(other.version, backend.version, 'two instances of one model have one version');
      },
    },
    {
      name: 'gives different drawings for different addresses',
      async run() {
        await using backend = await create();
        const drawings = await backend.draw(
          requests.map((request) => ({ ...request, prompt: requests[0]?.prompt ?? '' })),
        );
        assert.ok(new Set(tokensOf(drawings).map(String)).size > 1, 'five addresses give one and the same drawing');
      },
    },
    {
      name: 'draws the same alone, beside others and in another order',
      async run() {
        await using backend = await create();
        const together = await backend.draw(requests);
        const alone = await each(requests, (request) => backend.draw([request]));
        same(alone.flat(), together, 'drawn alone');
        same((await backend.draw([...requests].reverse())).toReversed(), together, 'drawn in another order');
      },
    },
    {
      name: 'gives pictures of the declared size, the same alone and beside others',
      async run() {
        await using backend = await create();
        const drawings = await backend.draw(requests);
        const pictures = await decoded(backend, drawings);
        const { width, height } = backend.image;
        assert.equal(pictures.length, drawings.length);
        for (const picture of pictures) {
          assert.deepEqual([picture.width, picture.height], [width, height], 'the size of a picture');
          assert.equal(picture.data.length, 3 * width * height, 'bytes of a picture');
        }
        // A kernel may round a channel the other way beside other rows; one of 255 levels is what that can change.
        const again = await decoded(backend, drawings.slice(0, 1));
        assertClose(again[0]?.data ?? [], pictures[0]?.data ?? [], { tolerance: 1, what: 'decoded alone' });
        assert.deepEqual(await backend.decode([]), [], 'no drawings have no pictures');
      },
    },
    {
      name: 'is as without an adapter while that is nothing, and otherwise when it is something',
      async run() {
        await using backend = await create();
        await using nothing = await adapterOf(subject, backend, 0);
        await using something = await adapterOf(subject, backend, 0.3);
        const plain = await backend.draw(requests);
        same(await backend.draw(requests, { adapter: nothing }), plain, 'drawn with an adapter of zeros');
        const changed = await backend.draw(requests, { adapter: something });
        assert.notDeepEqual(logProbsOf(changed), logProbsOf(plain), 'an adapter has no effect');
        same(await backend.draw(requests), plain, 'drawn after an adapter was used');
      },
    },
    {
      name: 'refuses texts that it cannot draw',
      async run() {
        await using backend = await create();
        for (const prompt of refusedTexts)
          await assertCoded(
            () => backend.draw([{ ...request(requests), prompt }]),
            'GVU_MODEL_TEXT',
            JSON.stringify(prompt),
          );
      },
    },
    {
      name: 'stops drawing when it is told to, and draws again afterwards',
      async run() {
        await using backend = await create();
        await assertAborts((signal) => backend.draw(requests, { signal }), 'draw');
        await assertSettles((signal) => backend.draw(requests, { signal }), { what: 'draw', budgetMs: abortBudgetMs });
        const drawings = await backend.draw(requests);
        await assertSettles((signal) => decoded(backend, drawings, { signal }), {
          what: 'decode',
          budgetMs: abortBudgetMs,
        });
      },
    },
  ];
}

function request<T>([first]: readonly T[]): T {
  if (first === undefined) throw new Error('unreachable: there are five');
  return first;
}

/** One after the other: what is tested is a call alone. */
async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
