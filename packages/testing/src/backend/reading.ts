/** Checks of a backend that reads: log-probabilities of texts, answers, refusals. */
import assert from 'node:assert/strict';
import type { PromptTrace, ReadRequest, ShownImage } from '@gvu/models';
import { assertAborts, assertClose, assertCoded, assertLogProbs, assertSettles, furthest } from '../assertions.ts';
import type { ConformanceCheck } from '../check.ts';
import { type BackendSubject, shownImages } from './subject.ts';

export function readingChecks(subject: BackendSubject): readonly ConformanceCheck[] {
  const { create, prompts, tolerances, refusedTexts, abortBudgetMs } = subject;
  const close = (found: PromptTrace | undefined, expected: PromptTrace | undefined, what: string) => {
    assert.deepEqual(found?.tokens, expected?.tokens, `${what}: other tokens`);
    assertClose(found?.logProbs ?? [], expected?.logProbs ?? [], { tolerance: tolerances.logProbs, what });
  };
  /** Every prompt with every image, and with none. */
  const requestsOf = (images: readonly ShownImage[]): readonly ReadRequest[] =>
    [...images, { none: true } as const].flatMap((image) => prompts.slice(0, 3).map((text) => ({ image, text })));

  return [
    {
      name: 'gives a log-probability for each token of a text, in every form that it reads',
      async run() {
        await using backend = await create();
        for (const form of backend.representations) {
          const requests = requestsOf(await shownImages(subject, backend, form));
          const traces = await backend.read(requests);
          assert.equal(traces.length, requests.length);
          for (const [i, { tokens, logProbs }] of traces.entries()) {
            const what = `${form}, ${JSON.stringify(requests[i]?.text)}`;
            assert.ok(tokens.length > 0, `${what}: a text that is not empty has tokens`);
            assert.equal(logProbs.length, tokens.length, `${what}: log-probabilities`);
            assertLogProbs(logProbs, what);
          }
        }
        assert.deepEqual(await backend.read([]), [], 'no requests have no traces');
      },
    },
    {
      name: 'reads the same alone, beside others, in another order and by another instance',
      async run() {
        await using backend = await create();
        await using other = await create();
        for (const form of backend.representations) {
          const requests = requestsOf(await shownImages(subject, backend, form));
          const together = await backend.read(requests);
          const reversed = (await other.read([...requests].reverse())).toReversed();
          for (const [i, request] of requests.entries()) {
            close(reversed[i], together[i], `${form}, request ${i} in another order`);
            if (i % 4 === 0) close((await backend.read([request]))[0], together[i], `${form}, request ${i} alone`);
          }
        }
      },
    },
    {
      name: 'looks at the image',
      async run() {
        await using backend = await create();
        const [text = ''] = prompts;
        for (const form of backend.representations) {
          const [first, ...others] = await backend.read(
            (await shownImages(subject, backend, form)).map((image) => ({ image, text })),
          );
          const differs = others.some(({ logProbs }) => furthest(logProbs, first?.logProbs ?? [])[1] > 1e-7);
          assert.ok(differs, `${form}: a text has one probability whatever is shown`);
        }
      },
    },
    {
      name: 'answers in words, the same alone and beside others',
      async run() {
        await using backend = await create();
        const [form] = backend.representations;
        if (form === undefined) throw new assert.AssertionError({ message: 'it cannot be shown anything' });
        const questions = (await shownImages(subject, backend, form)).map((image) => ({ image }));
        const answers = await backend.answer(questions, { maxTokens: 4 });
        assert.deepEqual(
          answers.map((answer) => typeof answer),
          questions.map(() => 'string'),
        );
        assert.deepEqual(await backend.answer(questions.slice(-1), { maxTokens: 4 }), answers.slice(-1), 'asked alone');
      },
    },
    {
      name: 'refuses texts and images that it cannot read',
      async run() {
        await using backend = await create();
        const [text = ''] = prompts;
        for (const wrong of refusedTexts)
          await assertCoded(
            () => backend.read([{ image: { none: true }, text: wrong }]),
            'GVU_MODEL_TEXT',
            JSON.stringify(wrong),
          );
        const { decisions } = backend.image;
        const unlike: Readonly<Record<string, ShownImage>> = backend.representations.includes('emitted-tokens')
          ? {
              'a token too few': { tokens: new Int32Array(decisions - 1) },
              'tokens that do not exist': { tokens: new Int32Array(decisions).fill(-1) },
            }
          : {};
        const broken: ShownImage = { pixels: { width: 64, height: 64, data: new Uint8Array(7) } };
        const images = { ...unlike, 'a picture of too few bytes': broken };
        for (const [what, image] of Object.entries(images))
          await assertCoded(() => backend.read([{ image, text }]), 'GVU_MODEL_IMAGE', what);
      },
    },
    {
      name: 'stops reading when it is told to, and reads again afterwards',
      async run() {
        await using backend = await create();
        const [form] = backend.representations;
        const images = form === undefined ? [] : await shownImages(subject, backend, form);
        const requests = requestsOf(images);
        await assertAborts((signal) => backend.read(requests, { signal }), 'read');
        await assertAborts(
          (signal) =>
            backend.answer(
              images.map((image) => ({ image })),
              { signal },
            ),
          'answer',
        );
        await assertSettles((signal) => backend.read(requests, { signal }), { what: 'read', budgetMs: abortBudgetMs });
        assert.equal((await backend.read(requests)).length, requests.length);
      },
    },
  ];
}
