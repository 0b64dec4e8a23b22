/**
 * SAPO, Soft Adaptive Policy Optimisation (arXiv 2511.20347): a smooth gate in place of the hard clip. Far from 1 the ratio's gradient fades
 * out like that of a sigmoid; a little sooner where the advantage is negative.
 *
 *   loss = - (4 / tau) sigmoid(tau (r - 1)) A + beta KL,   tau by the sign of A
 *
 * At r = 1 its gradient is that of REINFORCE. The larger tau, the narrower the gate; the paper wants it larger for negative advantages.
 */
import { defineConfig } from '@gvu/core';
import { div, mul, neg, sigmoid, sub } from '@gvu/onnx';
import type { Algorithm } from '../algorithm.ts';
import { advantageOptions, lossOptions } from '../options.ts';
import { bySign, type Surrogate } from '../policy-loss.ts';
import { groupRelative } from './group-relative.ts';

const temperature = { type: 'number', exclusiveMinimum: 0 } as const;

export const sapoConfig = defineConfig({
  type: 'object',
  additionalProperties: false,
  properties: {
    ...advantageOptions,
    ...lossOptions,
    temperaturePositive: {
      ...temperature,
      default: 1,
      description: 'tau where the advantage is positive: the larger, the narrower the gate.',
    },
    temperatureNegative: { ...temperature, default: 1.05, description: 'tau where the advantage is negative.' },
  },
});

export type SapoOptions = ReturnType<typeof sapoConfig.parse>;

export function sapo(options: SapoOptions): Algorithm {
  return groupRelative('sapo', options, softGate(options));
}

function softGate({ temperaturePositive, temperatureNegative }: SapoOptions): Surrogate {
  return ({ ratio, advantages }) => {
    const tau = bySign(advantages, { positive: temperaturePositive, negative: temperatureNegative }); // [B, 1]
    const gate = mul(div(4, tau), sigmoid(mul(tau, sub(ratio, 1))));
    return { loss: neg(mul(gate, advantages)), metrics: {} };
  };
}
