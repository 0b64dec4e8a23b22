/**
 * A judge behind HTTP: pictures and prompts go out as JSON, numbers come back. For judges that run in another language, on another
 * machine, or cost too much to be in this process. What comes back is data: nothing of it is run.
 *
 *   POST  { "items": [{ "prompt": "...", "metadata"?: ..., "image": { "width": W, "height": H, "rgb": base64 of 3 W H bytes } }] }
 *   200   { "values": [0.7, null, ...] }      as many as items, in their order; null = cannot be judged
 *
 * What may pass by itself (no connection, no answer in time, 408, 429, 5xx) is tried again after a pause that doubles and is random, so that
 * many clients do not come back together (Brooker, "Exponential backoff and jitter", 2015). What becomes of the items of a batch that still
 * fails is the caller's `onError`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { defineConfig, isRecord } from '@gvu/core';
import { rewardErrors } from '../errors.ts';
import type { Reward, Rollout } from '../reward.ts';
import { rolloutInput } from '../rollout-input.ts';

export const httpConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: {
      type: 'string',
      pattern: '^https?://',
      description: 'Where the judge listens; redirections are not followed.',
    },
    judge: {
      type: 'string',
      default: '',
      description: 'What judges there, and in which version: it becomes part of the version of the reward.',
    },
    tokenVariable: {
      type: 'string',
      pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
      description:
        'Environment variable with a token that is sent as "authorization: Bearer". The token itself is never recorded.',
    },
    batch: { type: 'integer', minimum: 1, maximum: 4096, default: 16, description: 'Items of a request.' },
    concurrency: { type: 'integer', minimum: 1, maximum: 64, default: 2, description: 'Requests at a time.' },
    timeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: 3_600_000,
      default: 60_000,
      description: 'Of each attempt, in milliseconds.',
    },
    retries: { type: 'integer', minimum: 0, maximum: 20, default: 3, description: 'Attempts after the first one.' },
    retryMs: {
      type: 'integer',
      minimum: 0,
      maximum: 60_000,
      default: 500,
      description: 'Longest pause before the first retry, in milliseconds; it doubles with each, up to a minute.',
    },
    range: {
      type: 'array',
      items: { type: 'number' },
      minItems: 2,
      maxItems: 2,
      description: 'Least and greatest value that the judge gives; others are an error. Default: any.',
    },
  },
});

export type HttpOptions = ReturnType<typeof httpConfig.parse>;

/** Of an answer: a thousand numbers have some twenty. */
const maxAnswerBytes = 1 << 20;
const longestPauseMs = 60_000;

/** The failures that scoring gives are GVU_REWARD_HTTP. */
export function http(options: HttpOptions): Reward {
  const { url, judge, batch, concurrency } = options;
  const name = 'http';
  const [low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY] = options.range ?? [];
  return {
    name,
    version: `1 judge=${JSON.stringify(judge)} url=${JSON.stringify(withoutSecrets(url))}`,
    inputs: ['pixels', 'metadata'],
    range: [low, high],
    deterministic: false,
    async score(rollouts, { signal }) {
      const items = rollouts.map((rollout, row) => itemOf(rollout, { name, row }));
      const batches = Array.from({ length: Math.ceil(items.length / batch) }, (_, i) =>
        items.slice(i * batch, (i + 1) * batch),
      );
      const answers: (readonly number[] | Error)[] = [];
      let next = 0;
      const worker = async () => {
        for (let i = next++; i < batches.length; i = next++)
          answers[i] = await judged(batches[i] ?? [], { options, signal });
      };
      await Promise.all(Array.from({ length: Math.min(concurrency, batches.length) }, worker));
      signal.throwIfAborted();
      const values = answers.flatMap((answer, i) =>
        answer instanceof Error ? (batches[i] ?? []).map(() => Number.NaN) : answer,
      );
      const failed = new Map(
        answers.flatMap((answer, i) =>
          answer instanceof Error ? (batches[i] ?? []).map((_, k) => [i * batch + k, answer] as const) : [],
        ),
      );
      return { values, failed };
    },
  };
}

type Item = ReturnType<typeof itemOf>;

function itemOf(rollout: Rollout, { name, row }: { name: string; row: number }) {
  const { width, height, data } = rolloutInput(rollout, 'pixels', { reward: name, row });
  const rgb = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  const { prompt, metadata } = rollout;
  return { prompt, ...(metadata !== undefined && { metadata }), image: { width, height, rgb } };
}

interface Request {
  readonly options: HttpOptions;
  readonly signal: AbortSignal;
}

/** The values of a batch, or why there are none. Rejects only when the caller gives up. */
async function judged(items: readonly Item[], { options, signal }: Request): Promise<readonly number[] | Error> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await askOnce(items, { options, signal });
    } catch (cause) {
      signal.throwIfAborted();
      const failure = cause instanceof Refusal ? cause : new Refusal(reasonOf(cause), { mayPass: true, cause });
      if (!failure.mayPass || attempt >= options.retries)
        return rewardErrors.error(
          'GVU_REWARD_HTTP',
          `The judge at '${withoutSecrets(options.url)}' ${failure.message}, attempt ${attempt + 1}.`,
          {
            hint: 'Look at the judge; docs/guides/rewards.md says what it is sent and what it should give.',
            cause,
          },
        );
      const longest = Math.min(longestPauseMs, options.retryMs * 2 ** attempt);
      // Chance here changes no result, only when it comes.
      await pause(Math.max(failure.waitMs, longest * Math.random()), undefined, { signal });
    }
  }
}

class Refusal extends Error {
  readonly mayPass: boolean;
  readonly waitMs: number;

  constructor(message: string, { mayPass, waitMs = 0, cause }: { mayPass: boolean; waitMs?: number; cause?: unknown }) {
    super(message, { cause });
    this.mayPass = mayPass;
    this.waitMs = waitMs;
  }
}

async function askOnce(items: readonly Item[], { options, signal }: Request): Promise<readonly number[]> {
  const token = options.tokenVariable === undefined ? undefined : process.env[options.tokenVariable];
  const response = await fetch(options.url, {
    method: 'POST',
    redirect: 'error',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ items }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
  });
  const { status } = response;
  if (!response.ok) {
    await response.body?.cancel();
    const seconds = Number(response.headers.get('retry-after'));
    throw new Refusal(`answered with status ${status}`, {
      mayPass: status === 408 || status === 429 || status >= 500,
      waitMs: seconds > 0 ? Math.min(longestPauseMs, 1000 * seconds) : 0,
    });
  }
  return valuesOf(await boundedText(response), items.length);
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Refusal(`answered with more than ${maxAnswerBytes} bytes`, { mayPass: false });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function valuesOf(text: string, count: number): readonly number[] {
  const wrong = (what: string) => new Refusal(`answered with ${what}`, { mayPass: false });
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw wrong('something that is not JSON');
  }
  const values = isRecord(answer) ? answer.values : undefined;
  if (!Array.isArray(values)) throw wrong('no list "values"');
  if (values.length !== count) throw wrong(`${values.length} values for ${count} items`);
  return values.map((value: unknown, i) => {
    if (value === null) return Number.NaN;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw wrong(`${JSON.stringify(value)} as value ${i}`);
  });
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'did not answer in time';
  const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : '';
  return `could not be asked (${cause instanceof Error ? cause.message : String(cause)}${inner})`;
}

/** Names and passwords in an address must not get into logs. */
function withoutSecrets(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
