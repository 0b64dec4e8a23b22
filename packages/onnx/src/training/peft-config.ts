/**
 * What `adapter_config.json` of PEFT may say so that the adapter can be computed here: a table of the options, and the few
 * that decide the numbers. It reads and writes no file.
 */
import { defineConfig } from '@gvu/core';
import type { LoraOptions } from './lora.ts';

/** The values by which an option is switched off. */
const off = { enum: [null, false, {}, []] } as const;
const any = {} as const;

/** An option that is not named here must be off: a silently ignored one would give wrong numbers. */
export const peftConfig = defineConfig({
  type: 'object',
  required: ['peft_type', 'r', 'lora_alpha', 'target_modules'],
  properties: {
    peft_type: { const: 'LORA' },
    r: { type: 'integer', minimum: 1 },
    lora_alpha: { type: 'number', exclusiveMinimum: 0 },
    // Names, or one regular expression.
    target_modules: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] },
    bias: { const: 'none' },
    // The other ways to start (pissa, olora, corda, loftq, ...) change the base weights as well.
    init_lora_weights: { enum: [true, false, 'gaussian', 'eva', 'orthogonal'] },
    // Further selections of modules.
    exclude_modules: any,
    layers_to_transform: any,
    layers_pattern: any,
    // Without effect on what a finished adapter computes.
    auto_mapping: any,
    base_model_name_or_path: any,
    corda_config: any,
    eva_config: any,
    inference_mode: any,
    loftq_config: any,
    lora_dropout: any,
    megatron_config: any,
    megatron_core: any,
    peft_version: any,
    qalora_group_size: any,
    revision: any,
    runtime_config: any,
    task_type: any,
  },
  additionalProperties: off,
} as const);

/** The content of the file for a new adapter: what PEFT 0.17 needs, and what says in plain words how it is to be read. */
export function peftConfigOf(
  { rank, alpha, targets }: LoraOptions,
  { baseModel, taskType }: { baseModel?: string | undefined; taskType?: string | undefined },
): Readonly<Record<string, unknown>> {
  return {
    base_model_name_or_path: baseModel ?? null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    target_modules: targets,
    task_type: taskType ?? null,
    use_dora: false,
    use_rslora: false,
  };
}
