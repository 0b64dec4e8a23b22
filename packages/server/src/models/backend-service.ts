/** Serves a backend to many clients: single requests in, batches to the model, one batch at a time. */
import { randomStream } from '@gvu/core';
import type { ActiveAdapter, Backend, DrawRequest, PromptTrace, Question, ReadRequest } from '@gvu/models';
import type { SamplerOptions } from '@gvu/onnx';
import { encodePng } from '../runs/png.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';
import type { GeneratedPicture, ModelCallOptions, ModelService } from './model-service.ts';

export interface BackendServiceOptions {
  /** The adapter to use, asked for at each batch: training may have changed it. Default: none. */
  readonly adapter?: () => ActiveAdapter | undefined;
  /** Rows of a batch; default 16. */
  readonly maxRows?: number;
  /** How long the first request waits for others; default 10 ms. */
  readonly windowMs?: number;
  /** Rows of one kind that may wait; default 128. */
  readonly maxWaiting?: number;
}

interface DrawRow extends DrawRequest {
  readonly sampler: SamplerOptions | undefined;
}

/** A model service over a backend, which belongs to the caller. */
export function serveBackend(backend: Backend, options: BackendServiceOptions = {}): ModelService {
  const { adapter = () => undefined, maxRows = 16, windowMs = 10, maxWaiting = 128 } = options;
  let last: Promise<unknown> = Promise.resolve();
  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined); // whoever waits for it has the error
    return await mine;
  };
  const common = { maxRows, windowMs, maxWaiting, turn } satisfies Partial<BatcherOptions<never, never>>;

  const drawings = new Batcher<DrawRow, GeneratedPicture>({
    ...common,
    keyOf: ({ sampler }) => JSON.stringify(sampler ?? null),
    run: async (rows, signal) => {
      const requests = rows.map(({ prompt, randomness }) => ({ prompt, randomness }));
      const sampler = rows[0]?.sampler;
      const drawn = await backend.draw(requests, { adapter: adapter(), signal, sampler });
      const pictures = await backend.decode(
        drawn.map(({ tokens, prompt }, i) => ({ tokens, prompt, randomness: requestAt(requests, i).randomness })),
        { signal },
      );
      return pictures.map((pixels, i) => ({ png: encodePng(pixels), logProb: mean(drawn[i]?.logProbs ?? []) }));
    },
  });
  const reads = new Batcher<ReadRequest, PromptTrace>({
    ...common,
    run: async (rows, signal) => await backend.read(rows, { adapter: adapter(), signal }),
  });
  const answers = new Batcher<Question, string>({
    ...common,
    run: async (rows, signal) => await backend.answer(rows, { adapter: adapter(), signal }),
  });

  return {
    async generate({ prompt, count, seed, sampler }, call) {
      const stream = randomStream(seed, 'server/generate');
      const rows = Array.from({ length: count }, (_, i) => ({ prompt, sampler, randomness: stream.at(i) }));
      return await submit(drawings, rows, call);
    },
    async describe({ image, question }, call) {
      const asked = { image: { pixels: image }, ...(question === undefined ? {} : { question }) };
      const [text = ''] = await submit(answers, [asked], call);
      return text;
    },
    async score({ image, text }, call) {
      const [trace = { tokens: [], logProbs: [] }] = await submit(reads, [{ image: { pixels: image }, text }], call);
      return trace;
    },
  };
}

async function submit<Row, Answer>(
  batcher: Batcher<Row, Answer>,
  rows: readonly Row[],
  { signal, onPhase }: ModelCallOptions,
): Promise<readonly Answer[]> {
  const submitted = batcher.submit(rows, { signal, onRunning: () => onPhase?.('running') });
  onPhase?.('queued');
  return await submitted;
}

function requestAt(requests: readonly DrawRequest[], i: number): DrawRequest {
  const request = requests[i];
  if (request === undefined) throw new RangeError('The backend gave more drawings than it was asked for.');
  return request;
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
