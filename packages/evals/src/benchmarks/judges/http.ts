/**
 * A judge behind an HTTP address: each request is one POST of JSON with the image as PNG in base64, and what it can do is what its server
 * is said to answer:
 *
 *   answer        { image, system?, question }   ->  { "answer": "..." }
 *   probability   { image, question }            ->  { "probability": 0.7 }                of a yes
 *   detect        { image, classes: [...] }      ->  { "detections": [{ class, confidence, box: [left, top, right, bottom], color? }] }
 *   similarity    { image, text }                ->  { "similarity": 0.3 }                 cosine
 *   depth         { image }                      ->  { "depth": { width, height, nearness: base64 of float32, by rows } }   larger is nearer
 *
 * Every body also has `"ask"`, one of these five. Servers that speak another form need a few lines in between; keys and models are
 * their business. An answer that no try brings is a failure of the judge, which benchmarks count; of the others, as of a server that
 * cannot be reached at all, the evaluation ends.
 */
import { setTimeout } from 'node:timers/promises';
import { isRecord } from '@gvu/core';
import type { Pixels } from '@gvu/models';
import { evalsErrors } from '../../errors.ts';
import type { DepthMap, Detection, Judge, JudgeAbility, JudgeDeps } from '../judge.ts';

export interface HttpJudgeOptions {
  readonly url: string;
  /** Who answers there, with its version: stands in every result. */
  readonly identity: string;
  /** What the server can do. */
  readonly abilities: readonly JudgeAbility[];
  readonly tries: number;
  readonly timeoutMs: number;
  /** Requests under way at a time. */
  readonly parallel: number;
}

const firstPauseMs = 500;

export function httpJudge(options: HttpJudgeOptions, { encodePng }: Pick<JudgeDeps, 'encodePng'>): Judge {
  const { identity, abilities, url } = options;

  /** The reply to each body as `read` understands it; null where no try brought one. */
  async function askAll<T>(
    ask: JudgeAbility,
    bodies: readonly { readonly pixels: Pixels; readonly [key: string]: unknown }[],
    { signal, read }: { signal: AbortSignal; read: (reply: Readonly<Record<string, unknown>>) => T | null },
  ): Promise<readonly (T | null)[]> {
    const replies: (T | null)[] = bodies.map(() => null);
    let reached = bodies.length === 0;
    const waiting = [...bodies.entries()];
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [i, { pixels, ...rest }] = next;
        const image = Buffer.from(encodePng(pixels)).toString('base64');
        const reply = await post(JSON.stringify({ ask, image, ...rest }), { ...options, signal, read });
        reached ||= reply !== 'unreachable';
        replies[i] = typeof reply === 'object' ? reply.value : null;
      }
    };
    await Promise.all(Array.from({ length: options.parallel }, work));
    if (reached) return replies;
    throw unable(url, 'could not be reached', 'Check that the server runs and that the address is right.');
  }

  async function requireAll<T>(...given: Parameters<typeof askAll<T>>): Promise<readonly T[]> {
    return (await askAll<T>(...given)).map((reply) => {
      if (reply !== null) return reply;
      throw unable(
        url,
        `gave no ${given[0]} in any try`,
        `The server was said to be able to ${given[0]}: see the option abilities.`,
      );
    });
  }

  const can: Required<Pick<Judge, JudgeAbility>> = {
    answer: (questions, { signal }) =>
      askAll(
        'answer',
        questions.map(({ pixels, system, question }) => ({ pixels, system, question })),
        {
          signal,
          read: ({ answer }) => (typeof answer === 'string' ? answer : null),
        },
      ),
    probability: (questions, { signal }) =>
      requireAll(
        'probability',
        questions.map(({ pixels, system, question }) => ({ pixels, system, question })),
        {
          signal,
          read: ({ probability }) => within(probability, [0, 1]),
        },
      ),
    detect: (images, { signal }) =>
      requireAll(
        'detect',
        images.map(({ pixels, classes }) => ({ pixels, classes })),
        { signal, read: detectionsOf },
      ),
    similarity: (pairs, { signal }) =>
      requireAll(
        'similarity',
        pairs.map(({ pixels, text }) => ({ pixels, text })),
        {
          signal,
          read: ({ similarity }) => within(similarity, [-1, 1]),
        },
      ),
    depth: (images, { signal }) =>
      requireAll(
        'depth',
        images.map(({ pixels }) => ({ pixels })),
        { signal, read: depthOf },
      ),
  };
  return {
    name: 'http',
    version: identity,
    ...Object.fromEntries(abilities.map((ability) => [ability, can[ability]])),
  };
}

function within(value: unknown, [low, high]: readonly [number, number]): number | null {
  return typeof value === 'number' && value >= low && value <= high ? value : null;
}

/** Null for a list with anything in it that is no detection. */
function detectionsOf({ detections }: Readonly<Record<string, unknown>>): readonly Detection[] | null {
  if (!Array.isArray(detections)) return null;
  const found = detections.flatMap((item: unknown): Detection[] => {
    if (!isRecord(item) || typeof item.class !== 'string') return [];
    const confidence = within(item.confidence, [0, 1]);
    const corners: readonly unknown[] = Array.isArray(item.box) ? item.box : [];
    if (corners.length !== 4 || !corners.every(Number.isFinite)) return [];
    const [left, top, right, bottom] = corners;
    if (confidence === null || typeof left !== 'number' || typeof top !== 'number') return [];
    if (typeof right !== 'number' || typeof bottom !== 'number') return [];
    const color = typeof item.color === 'string' ? { color: item.color } : {};
    return [{ class: item.class, confidence, box: { left, top, right, bottom }, ...color }];
  });
  return found.length === detections.length ? found : null;
}

/** Null for what is no map of finite numbers. */
function depthOf({ depth }: Readonly<Record<string, unknown>>): DepthMap | null {
  if (!isRecord(depth) || typeof depth.nearness !== 'string') return null;
  const { width, height } = depth;
  if (typeof width !== 'number' || typeof height !== 'number' || !(width >= 1) || !(height >= 1)) return null;
  const bytes = Buffer.from(depth.nearness, 'base64');
  if (bytes.length !== 4 * width * height) return null;
  const nearness = Float32Array.from({ length: width * height }, (_, i) => bytes.readFloatLE(4 * i));
  return nearness.every(Number.isFinite) ? { width, height, nearness } : null;
}

interface Posting<T> extends HttpJudgeOptions {
  readonly signal: AbortSignal;
  readonly read: (reply: Readonly<Record<string, unknown>>) => T | null;
}

/** `failed` = it was reached, but gave no reply that can be read in any try. */
async function post<T>(
  body: string,
  { url, tries, timeoutMs, signal, read }: Posting<T>,
): Promise<{ readonly value: T } | 'failed' | 'unreachable'> {
  let outcome: 'failed' | 'unreachable' = 'unreachable';
  for (let attempt = 0; attempt < tries; attempt++) {
    if (attempt > 0) await setTimeout(firstPauseMs * 2 ** (attempt - 1), undefined, { signal });
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      outcome = 'failed';
      const reply: unknown = await response.json();
      const value = response.ok && isRecord(reply) ? read(reply) : null;
      if (value !== null) return { value };
    } catch {
      // A try that failed: a stop by the user is told from it here.
      signal.throwIfAborted();
    }
  }
  return outcome;
}

function unable(url: string, why: string, hint: string): Error {
  return evalsErrors.error('GVU_BENCHMARK_JUDGE', `The judge at ${url} ${why}.`, { hint });
}
