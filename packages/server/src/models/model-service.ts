/** The model, as the server serves it: single requests of many clients. */
import type { Pixels, PromptTrace } from '@gvu/models';
import type { SamplerOptions } from '@gvu/onnx';

export interface ModelCallOptions {
  readonly signal: AbortSignal;
  /** `queued`, then `running`. */
  readonly onPhase?: (phase: 'queued' | 'running') => void;
}

export interface GeneratedPicture {
  readonly png: Uint8Array;
  /** Mean over the decisions under the policy, in nats. */
  readonly logProb: number;
}

/** Each throws GVU_SERVER_OVERLOADED with `details.retryAfterMs` at once when too much is waiting, or the backend's errors. */
export interface ModelService {
  generate(
    request: {
      readonly prompt: string;
      readonly count: number;
      readonly seed: number;
      readonly sampler?: SamplerOptions | undefined;
    },
    options: ModelCallOptions,
  ): Promise<readonly GeneratedPicture[]>;
  describe(request: { readonly image: Pixels; readonly question?: string }, options: ModelCallOptions): Promise<string>;
  score(request: { readonly image: Pixels; readonly text: string }, options: ModelCallOptions): Promise<PromptTrace>;
}
