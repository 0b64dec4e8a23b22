/** The published description of the protocol: up to date, valid, and true of what is really sent. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { JsonValue } from '@gvu/core';
import type { RunEvents } from '@gvu/rl';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, expectTypeOf, test } from 'vitest';
import { createServer } from '../src/index.ts';
import { asyncApiDocument } from '../src/protocol/asyncapi.ts';
import { channels } from '../src/protocol/channels.ts';
import { serverMessages } from '../src/protocol/messages.ts';
import { methods } from '../src/protocol/methods.ts';
import type * as payloads from '../src/protocol/run-payloads.ts';
import type { Message } from '../src/protocol/schema.ts';
import { RawClient } from './raw-client.ts';
import { evaluation, json, openRun, rollout, runsFolder, started, step } from './run-folder.ts';

const require = createRequire(import.meta.url);
const page = new URL('../../../docs/reference/asyncapi.json', import.meta.url);

test('the AsyncAPI document is what the code says; otherwise run `npm run protocol:document`', () => {
  expect(JSON.parse(readFileSync(page, 'utf8'))).toEqual(asyncApiDocument());
});

test('the AsyncAPI document is valid, and all its references lead somewhere', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const valid = ajv.compile(require('@asyncapi/specs/schemas/3.1.0-without-$id.json'));
  const document = asyncApiDocument();
  expect(valid(document) ? [] : valid.errors).toEqual([]);
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => String(path));
  expect(references.length).toBeGreaterThan(30);
  for (const path of references) {
    let at: unknown = document;
    for (const key of path.split('/')) at = Object(at)[key];
    expect(at, path).toBeTypeOf('object');
  }
});

test('every schema is a JSON Schema', () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false });
  const schemas = [
    ...Object.values(serverMessages),
    ...channels.map(({ schema }) => schema),
    ...Object.values(methods).flatMap(({ params, result }) => [params, result]),
  ];
  for (const schema of schemas) expect(() => ajv.compile(schema)).not.toThrow();
});

test('schemas of run events agree with the types of the trainer', () => {
  expectTypeOf<RunEvents['step']>().toExtend<Message<typeof payloads.stepData>>();
  expectTypeOf<RunEvents['rollout']>().toExtend<Message<typeof payloads.rolloutData>>();
  expectTypeOf<RunEvents['evaluation']>().toExtend<Message<typeof payloads.evaluationData>>();
  expectTypeOf<RunEvents['exam']>().toExtend<Message<typeof payloads.examData>>();
  expectTypeOf<RunEvents['run.started']>().toExtend<Message<typeof payloads.startedData>>();
  expectTypeOf<RunEvents['run.resumed']>().toExtend<Message<typeof payloads.resumedData>>();
  expectTypeOf<RunEvents['run.ended']>().toExtend<Message<typeof payloads.endedData>>();
  expectTypeOf<RunEvents['checkpoint']>().toExtend<Message<typeof payloads.checkpointData>>();
  expectTypeOf<RunEvents['guard']>().toExtend<Message<typeof payloads.guardData>>();
});

test('everything that the server sends fits the schemas that it sends with its hello', async () => {
  await using folder = await runsFolder();
  await using log = await openRun(folder.path, 'a');
  const image = await log.putBlob(Buffer.from('abc'), 'png');
  const events: [string, JsonValue][] = [
    ['run.started', json(started('a'))],
    ['rollout', json(rollout(1, image))],
    ['rollout', json(rollout(1, null))],
    ['step', json(step(1))],
    ['evaluation', json(evaluation(1, [image, null]))],
    ['exam', { step: 1, name: 'shapes', scores: { two: { correct: 1, n: 2 } } }],
    ['guard', { step: 1, guard: 'idle', level: 'warn', message: '' }],
    ['checkpoint', { step: 1, path: 'x' }],
    ['run.resumed', { step: 0 }],
    ['run.ended', { step: 1, reason: 'finished', message: '', seconds: 1 }],
  ];
  for (const [type, data] of events) log.append(type, data);
  await using server = await createServer({ runs: folder.path });
  using client = await RawClient.connect(server);
  client.send({ op: 'hello', client: { name: 'x', version: '1' } });
  const hello = await client.next('hello');
  const ajv = new Ajv2020({ strict: false });
  const check = (schema: object, value: unknown) => {
    const valid = ajv.compile(schema);
    expect(valid(value) ? [] : valid.errors, JSON.stringify(value)).toEqual([]);
  };
  check(serverMessages.hello, hello);
  expect(hello.channels).toHaveLength(7);
  let seen = 0;
  for (const { id, name, schema } of hello.channels) {
    client.send({ op: 'subscribe', id, channel: name, from: 'earliest', ...(name === 'server' ? {} : { run: 'a' }) });
    check(serverMessages.subscribed, await client.next('subscribed'));
    const message = await client.next('events');
    check(serverMessages.events, message);
    for (const event of message.events) check(schema, event);
    seen += message.events.length;
    // The schema can also say no.
    if (name !== 'log') expect(ajv.validate(schema, { ...message.events[0], data: 7 })).toBe(false);
  }
  expect(seen).toBeGreaterThanOrEqual(2 * events.length + 1);
  client.send({ op: 'subscribe', id: 99, run: 'b', channel: 'log', from: 'latest' });
  check(serverMessages.unsubscribed, await client.next('unsubscribed'));
  client.send({ op: 'nothing' });
  check(serverMessages.error, await client.next('error'));
});
