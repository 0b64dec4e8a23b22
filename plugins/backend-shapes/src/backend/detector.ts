/**
 * The oracle as a reward: 1 when the objects found in the pixels fulfil the prompt by GenEval's rules, otherwise 0. It has no
 * learned part. The trace says which rules were broken.
 *
 * It knows the shapes and colours of one world. Which colours that are matters: a pixel has the nearest of them, so that colours
 * which no image has would only mislead it.
 */
import { setImmediate } from 'node:timers/promises';
import { compileConfig, type JsonValue } from '@gvu/core';
import { type Reward, rolloutInput } from '@gvu/rewards';
import { categories, detectObjects, judge, type PromptMetadata, type World } from '../world/index.ts';
import { regions, relations } from '../world/relations.ts';
import { toPlanes } from './planes.ts';

/**
 * Rollouts without metadata cannot be judged. `score` rejects with GVU_CONFIG_INVALID for metadata that are none of this world, such as
 * those of another benchmark, with GVU_MODEL_IMAGE for images of another size, with GVU_REWARD_INPUT when there are no pixels.
 */
export function detectorReward(world: World): Reward {
  const name = 'detector';
  const metadataConfig = metadataOf(world);
  return {
    name,
    version: `1 ${world.shapes.join(' ')}, ${world.colors.join(' ')}`,
    inputs: ['metadata', 'pixels'],
    range: [0, 1],
    deterministic: true,
    async score(rollouts, { signal }) {
      const values: number[] = [];
      const trace: JsonValue[] = [];
      for (const [row, rollout] of rollouts.entries()) {
        // Between two images others get their turn, and an abort is heard.
        await setImmediate(undefined, { signal });
        const { prompt, metadata } = rollout;
        if (metadata === undefined) {
          values.push(Number.NaN);
          trace.push(['The prompt has no metadata.']);
          continue;
        }
        const source = `The metadata of ${JSON.stringify(prompt)}`;
        // What fits the schema below are metadata: of a tuple, no type can be derived from it.
        const asked = metadataConfig.parse(metadata, { source }) as Pick<PromptMetadata, 'include' | 'exclude'>;
        const pixels = toPlanes(rolloutInput(rollout, 'pixels', { reward: name, row }));
        const { correct, reasons } = judge(asked, detectObjects(world, pixels));
        values.push(correct ? 1 : 0);
        trace.push(reasons);
      }
      return { values, trace };
    },
  };
}

function metadataOf({ shapes, colors }: World) {
  const shape = { enum: shapes } as const;
  const count = { type: 'integer', minimum: 1 } as const;
  return compileConfig(
    {
      type: 'object',
      additionalProperties: false,
      required: ['include'],
      properties: {
        tag: { enum: categories },
        prompt: { type: 'string' },
        include: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['class', 'count'],
            properties: {
              class: shape,
              count,
              color: { enum: colors },
              position: {
                type: 'array',
                prefixItems: [{ enum: relations }, { type: 'integer', minimum: 0 }],
                minItems: 2,
                items: false,
              },
              region: { enum: regions },
              size: { enum: ['larger', 'smaller'] },
            },
          },
        },
        exclude: {
          type: 'array',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['class', 'count'],
            properties: { class: shape, count },
          },
        },
      },
    },
    { source: 'The schema of metadata' },
  );
}
