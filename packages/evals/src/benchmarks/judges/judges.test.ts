import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { image, signal } from '../../../test/benchmark-parts.ts';
import { httpJudge } from './http.ts';
import { selfJudge } from './self.ts';

let server: Server | undefined;
afterEach(async () => {
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  server = undefined;
});

/** Replies to each request what `reply` says of its body; a number is a status without a body. */
async function judgeServer(reply: (body: { image: string; question: string }) => unknown) {
  const listening = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const answer = reply(JSON.parse(Buffer.concat(parts).toString()));
    response.statusCode = typeof answer === 'number' ? answer : 200;
    response.end(JSON.stringify(answer));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has an address of this form.
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

const options = { identity: 'test 1', abilities: ['answer'], tries: 2, timeoutMs: 600_000, parallel: 2 } as const;
const encodePng = () => Uint8Array.of(1, 2, 3);
const ask = (question: string) => ({ pixels: image(), system: 'be brief', question });

test('asks with the image, tries again, and says which questions failed', async () => {
  const tried = new Map<string, number>();
  const url = await judgeServer(({ image: sent, question }) => {
    const times = (tried.get(question) ?? 0) + 1;
    tried.set(question, times);
    if (question === 'never') return 500;
    if (question === 'second' && times === 1) return { nothing: true };
    return { answer: `${question} ${sent}` };
  });
  const judge = httpJudge({ ...options, url }, { encodePng });
  expect(judge).toMatchObject({ name: 'http', version: 'test 1' });
  const answers = await judge.answer?.(['first', 'never', 'second'].map(ask), { signal });
  expect(answers).toEqual(['first AQID', null, 'second AQID']);
  expect(tried).toEqual(
    new Map([
      ['first', 1],
      ['never', 2],
      ['second', 2],
    ]),
  );
});

test('a server that detects, compares and says how probable a yes is', async () => {
  const box = [1, 2, 3.5, 4];
  const bodies: { ask: string }[] = [];
  const url = await judgeServer((body) => {
    bodies.push(body as unknown as { ask: string });
    return {
      detections: [
        { class: 'dog', confidence: 0.5, box, color: 'red' },
        { class: 'cup', confidence: 1, box },
      ],
      probability: 0.25,
      similarity: -0.5,
    };
  });
  const abilities = ['detect', 'similarity', 'probability'] as const;
  const judge = httpJudge({ ...options, abilities, url }, { encodePng });
  expect(judge.answer).toBeUndefined();
  const found = await judge.detect?.([{ pixels: image(), classes: ['dog', 'cup'] }], { signal });
  const corners = { left: 1, top: 2, right: 3.5, bottom: 4 };
  expect(found).toEqual([
    [
      { class: 'dog', confidence: 0.5, box: corners, color: 'red' },
      { class: 'cup', confidence: 1, box: corners },
    ],
  ]);
  expect(await judge.similarity?.([{ pixels: image(), text: 'a dog' }], { signal })).toEqual([-0.5]);
  expect(await judge.probability?.([{ pixels: image(), question: 'a dog?' }], { signal })).toEqual([0.25]);
  expect(bodies).toEqual([
    { ask: 'detect', image: 'AQID', classes: ['dog', 'cup'] },
    { ask: 'similarity', image: 'AQID', text: 'a dog' },
    { ask: 'probability', image: 'AQID', question: 'a dog?' },
  ]);
});

test('a server that tells depth, and one whose map is none', async () => {
  const nearness = Buffer.from(Float32Array.of(0.5, -1, 2, 4, 0, 7).buffer).toString('base64');
  const replies = [
    { width: 3, height: 2, nearness },
    { width: 2, height: 2, nearness },
  ];
  const url = await judgeServer(() => ({ depth: replies.shift() }));
  const judge = httpJudge({ ...options, abilities: ['depth'], tries: 1, url }, { encodePng });
  const ask = async () => await judge.depth?.([{ pixels: image() }], { signal });
  expect(await ask()).toEqual([{ width: 3, height: 2, nearness: Float32Array.of(0.5, -1, 2, 4, 0, 7) }]);
  await expect(ask()).rejects.toThrow(/gave no depth in any try/);
});

test.each([
  ['no list', {}],
  ['a box of three numbers', { detections: [{ class: 'dog', confidence: 0.5, box: [1, 2, 3] }] }],
  ['a box with a word', { detections: [{ class: 'dog', confidence: 0.5, box: ['a', 1, 2, 3, 4] }] }],
  ['a confidence above 1', { detections: [{ class: 'dog', confidence: 1.5, box: [1, 2, 3, 4] }] }],
])('detections that are none end the evaluation, for they would be wrong scores: %s', async (_, reply) => {
  const url = await judgeServer(() => reply);
  const judge = httpJudge({ ...options, abilities: ['detect'], tries: 1, url }, { encodePng });
  await expect(judge.detect?.([{ pixels: image(), classes: ['dog'] }], { signal })).rejects.toThrow(
    /GVU_BENCHMARK_JUDGE.*gave no detect in any try/,
  );
});

test('a server that is not there ends the evaluation; a stop ends it at once', async () => {
  const judge = httpJudge({ ...options, tries: 1, url: 'http://127.0.0.1:9' }, { encodePng });
  await expect(judge.answer?.([ask('x')], { signal })).rejects.toThrow(/GVU_BENCHMARK_JUDGE.*could not be reached/);
  const stopped = AbortSignal.abort(new Error('stopped by the test'));
  await expect(judge.answer?.([ask('x')], { signal: stopped })).rejects.toThrow('stopped by the test');
});

test('the model as its own judge: its words, and yes against no', async () => {
  const asked: unknown[] = [];
  const judge = selfJudge({
    adapter: undefined,
    backend: {
      name: 'toy',
      version: '7',
      async answer(questions) {
        asked.push(...questions);
        return questions.map(() => 'yes');
      },
      // Three times as probable as no, in two tokens; the second image the other way round.
      async read(requests) {
        return requests.map(({ image: shown, text }) => {
          const first = 'pixels' in shown && shown.pixels.data[0] === 0;
          const probability = (text === 'yes') === first ? 0.3 : 0.1;
          return { tokens: ['a', 'b'], logProbs: [Math.log(probability), Math.log(0.5)] };
        });
      },
    },
  });
  expect(judge.version).toBe('1 toy 7');
  expect(await judge.answer?.([ask('Is it red?')], { signal })).toEqual(['yes']);
  expect(asked).toEqual([{ image: { pixels: image() }, question: 'be brief\nIs it red?' }]);
  const questions = [0, 1].map((value) => ({ pixels: image(value), question: 'a cup?' }));
  const probabilities = await judge.probability?.(questions, { signal });
  expect(probabilities?.[0]).toBeCloseTo(0.75, 12);
  expect(probabilities?.[1]).toBeCloseTo(0.25, 12);
});
