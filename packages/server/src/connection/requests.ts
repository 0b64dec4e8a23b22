/** The requests of one client that are under way: ids, deadlines, cancellation, and exactly one answer each. */
import { serverErrors } from '../errors.ts';
import { failureOf } from '../failure.ts';
import type { Handlers, RequestContext } from '../handlers.ts';
import { encodeFrame, mediaOf } from '../protocol/frame.ts';
import type { Scope } from '../protocol/hello.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { isMethodName, methods } from '../protocol/methods.ts';
import { parseParams } from '../protocol/parse.ts';
import type { Outbox } from './outbox.ts';

type Request = Extract<ClientMessage, { readonly op: 'request' }>;

const defaultDeadlineMs = 120_000;

export interface RequestsOptions {
  readonly outbox: Outbox;
  readonly handlers: Handlers;
  readonly scopes: ReadonlySet<Scope>;
  readonly limit: number;
  readonly onInternalError: (error: unknown) => void;
}

export class Requests implements Disposable {
  readonly #options: RequestsOptions;
  readonly #underWay = new Map<number, AbortController>();

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Answers a request when it is done; never throws. */
  async answer(request: Request): Promise<void> {
    const { outbox } = this.#options;
    const { id } = request;
    const abort = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let mine = false;
    try {
      this.#admit(id);
      this.#underWay.set(id, abort);
      mine = true;
      const deadlineMs = request.deadlineMs ?? defaultDeadlineMs;
      timer = setTimeout(() => abort.abort(lateError(deadlineMs)), deadlineMs);
      const work = this.#call(request, abort.signal);
      const result = await Promise.race([work, aborted(abort.signal)]);
      outbox.message({ op: 'result', id, result });
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === 'GVU_SERVER_INTERNAL') this.#options.onInternalError(error);
      outbox.message({ op: 'error', id, error: failure });
    } finally {
      clearTimeout(timer);
      if (mine) this.#underWay.delete(id);
    }
  }

  /** Gives a request up; of one that is not under way nothing is said, its answer has been sent. */
  cancel(id: number): void {
    this.#underWay.get(id)?.abort(serverErrors.error('GVU_SERVER_CANCELLED', 'The request was cancelled.'));
  }

  #admit(id: number): void {
    const { limit } = this.#options;
    const problem = this.#underWay.has(id)
      ? `The request ${id} is still under way.`
      : this.#underWay.size >= limit
        ? `${limit} requests are under way already.`
        : undefined;
    if (problem) throw serverErrors.error('GVU_SERVER_REQUEST_ID', problem, { hint: 'Wait for answers.' });
  }

  async #call({ id, method, params }: Request, signal: AbortSignal): Promise<unknown> {
    const { handlers, scopes, outbox } = this.#options;
    if (!isMethodName(method) || handlers[method] === undefined) {
      const offered = Object.keys(handlers).join(', ');
      throw serverErrors.error(
        'GVU_SERVER_METHOD',
        `There is no method ${JSON.stringify(method)} here, only ${offered}.`,
      );
    }
    const { scope } = methods[method];
    if (!scopes.has(scope)) {
      throw serverErrors.error('GVU_SERVER_SCOPE', `The method ${method} takes the scope "${scope}".`, {
        hint: 'Connect with a token that has it.',
      });
    }
    let index = 0;
    // The parameters fit the schema that the type of the handler's was made of; a union of all methods is too much for the compiler.
    const handler = handlers[method] as (params: unknown, context: RequestContext) => Promise<unknown>;
    return await handler(parseParams(method, params), {
      signal,
      progress: (phase) => {
        if (!signal.aborted) outbox.message({ op: 'progress', id, phase });
      },
      picture: ({ name, bytes }) => {
        if (signal.aborted) return;
        const [sha256 = ''] = name.split('.');
        const common = { kind: 'result', thumbnail: false, offset: 0, seq: 0, timeMs: Date.now() } as const;
        outbox.sendBinary(encodeFrame({ ...common, id, index: index++, media: mediaOf(name), sha256, bytes }));
      },
    });
  }

  [Symbol.dispose](): void {
    for (const id of this.#underWay.keys()) this.cancel(id);
  }
}

function lateError(deadlineMs: number): Error {
  return serverErrors.error('GVU_SERVER_DEADLINE', `The request was not done within ${deadlineMs} ms.`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
