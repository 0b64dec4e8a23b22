import { describe, expect, it } from 'vitest';
import { runConfig } from '../run/config.ts';
import { batchPlan } from './batch-plan.ts';

const configOf = (changes: object) => runConfig.parse(changes, { source: 'The test' });
const plan = (changes: object, { wholeGroups = false, parameters = 1e6 } = {}) =>
  batchPlan(configOf(changes), { wholeGroups, parameters });

describe('a step of 16 prompts and 8 drawings each', () => {
  it('is learned from in micro-batches of 64, and keeps inner values, in a small model', () => {
    expect(plan({})).toMatchObject({ rollouts: 128, rows: 64, microBatches: 2, checkpointing: false });
  });

  it('is cut small, and blocks are computed again, in a large model', () => {
    expect(plan({}, { parameters: 2e9 })).toMatchObject({ rows: 2, microBatches: 64, checkpointing: true });
    // A loss that compares the drawings of a group needs all of them at once.
    const together = plan({}, { parameters: 2e9, wholeGroups: true });
    expect(together).toMatchObject({ rows: 8, microBatches: 16, checkpointing: true });
  });

  it('is cut as the configuration says, whatever the model', () => {
    const given = { microBatch: 16, checkpointing: false };
    expect(plan(given, { parameters: 2e9 })).toMatchObject({ rows: 16, microBatches: 8, checkpointing: false });
    expect(plan({ checkpointing: true })).toMatchObject({ rows: 64, checkpointing: true });
  });
});

it('takes the largest equal part that is not above what is asked for', () => {
  expect(plan({ promptsPerStep: 3, groupSize: 5, microBatch: 4 })).toMatchObject({ rows: 3, microBatches: 5 });
  expect(() => plan({ promptsPerStep: 3, updatesPerStep: 2 })).toThrow('GVU_RUN_CONFIG');
});
