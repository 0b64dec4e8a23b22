/**
 * How X-Omni draws. The released generate.py asks for temperature 1, top-p 1 and min-p 0.03 and names no top-k, where transformers
 * fills in 50: so what it really samples is the 50 likeliest tokens alone. `exact` draws from the policy itself.
 */
import { exactSampler, type SamplerOptions } from '@gvu/onnx';

export const samplers = {
  reference: { temperature: 1, topK: 50, topP: 1, minP: 0.03 },
  exact: exactSampler,
} as const satisfies Readonly<Record<string, SamplerOptions>>;

export type SamplerPreset = keyof typeof samplers;
