/**
 * A judge behind an HTTP address: each question is one POST of JSON, `{"image": <PNG in base64>, "system": ..., "question": ...}`, and
 * the reply `{"answer": "..."}`. Servers that speak another form need a few lines in between; keys and models are their business.
 *
 * A question fails, and counts as such, when no try brings an answer; a server that cannot be reached at all ends the evaluation.
 */
import { setTimeout } from 'node:timers/promises';
import { isRecord } from '@gvu/core';
import { evalsErrors } from '../../errors.ts';
import type { Judge, JudgeDeps, JudgeQuestion } from '../judge.ts';

export interface HttpJudgeOptions {
  readonly url: string;
  /** Who answers there, with its version: stands in every result. */
  readonly identity: string;
  readonly tries: number;
  readonly timeoutMs: number;
  /** Questions under way at a time. */
  readonly parallel: number;
}

const firstPauseMs = 500;

export function httpJudge(options: HttpJudgeOptions, { encodePng }: Pick<JudgeDeps, 'encodePng'>): Judge {
  const { identity, parallel, url } = options;
  return {
    name: 'http',
    version: identity,
    async answer(questions, { signal }) {
      const answers: (string | null)[] = questions.map(() => null);
      let reached = questions.length === 0;
      const waiting = [...questions.entries()];
      const work = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          const [i, question] = next;
          const body = bodyOf(question, encodePng);
          const reply = await ask(body, { ...options, signal });
          reached ||= reply !== 'unreachable';
          answers[i] = typeof reply === 'object' ? reply.answer : null;
        }
      };
      await Promise.all(Array.from({ length: parallel }, work));
      if (reached) return answers;
      throw evalsErrors.error('GVU_BENCHMARK_JUDGE', `The judge at ${url} could not be reached.`, {
        hint: 'Check that the server runs and that the address is right.',
      });
    },
  };
}

function bodyOf({ pixels, system, question }: JudgeQuestion, encodePng: JudgeDeps['encodePng']): string {
  const image = Buffer.from(encodePng(pixels)).toString('base64');
  return JSON.stringify({ image, ...(system !== undefined && { system }), question });
}

/** `failed` = it was reached, but gave no answer in any try. */
async function ask(
  body: string,
  { url, tries, timeoutMs, signal }: HttpJudgeOptions & { readonly signal: AbortSignal },
): Promise<{ readonly answer: string } | 'failed' | 'unreachable'> {
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
      if (response.ok && isRecord(reply) && typeof reply.answer === 'string') return { answer: reply.answer };
    } catch {
      // A try that failed: a stop by the user is told from it here.
      signal.throwIfAborted();
    }
  }
  return outcome;
}
