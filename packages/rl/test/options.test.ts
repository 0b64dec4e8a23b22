/** Options and inputs of algorithms: what is published about them, and what is refused. */
import { createGraph, input, type Tensor } from '@gvu/onnx';
import { describe, expect, it } from 'vitest';
import type { PolicyBatch } from '../src/algorithm.ts';
import { cispoConfig } from '../src/algorithms/cispo.ts';
import { grpo, grpoConfig } from '../src/algorithms/grpo.ts';
import { reinforcePlusPlusConfig } from '../src/algorithms/reinforce-plus-plus.ts';
import { rloo, rlooConfig } from '../src/algorithms/rloo.ts';
import { sapoConfig } from '../src/algorithms/sapo.ts';
import { vespoConfig } from '../src/algorithms/vespo.ts';

const source = { source: 'test' };
const configs = { grpoConfig, cispoConfig, sapoConfig, vespoConfig, rlooConfig, reinforcePlusPlusConfig };

describe('options', () => {
  it.each(Object.entries(configs))(
    'of %s are described, closed and complete by their defaults',
    (_, { schema, parse }) => {
      expect(schema).toMatchObject({ additionalProperties: false });
      const properties = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
      expect(properties.length).toBeGreaterThan(0);
      for (const [name, property] of properties) expect(property, name).toHaveProperty('description');
      const filled = parse({}, source);
      for (const [name, property] of properties)
        if (typeof property === 'object' && property.default !== undefined)
          expect(filled).toHaveProperty(name, property.default);
      expect(() => parse({ loss_type: 'grpo' }, source)).toThrow('loss_type');
    },
  );

  it('of GRPO default to the paper’s objective without a KL divergence', () => {
    expect(grpoConfig.parse({}, source)).toEqual({
      scale: 'group',
      epsilonAdvantage: 1e-4,
      aggregation: 'sum_then_normalize',
      entropyReward: 0,
      ratio: 'token',
      reduction: 'grpo',
      beta: 0,
      klEstimator: 'k3',
      biasCorrectedKl: false,
      entropyCoefficient: 0,
      topEntropyQuantile: 1,
      tokenWeights: 'uniform',
      epsilon: 0.2,
    });
  });

  it('that contradict each other are refused', () => {
    const parsed = grpoConfig.parse({ aggregation: 'normalize_then_sum', scale: 'batch' }, source);
    expect(() => grpo(parsed)).toThrow(expect.objectContaining({ code: 'GVU_RL_OPTIONS' }));
  });

  it('decide what an algorithm needs', () => {
    const needs = (options: object) => grpo(grpoConfig.parse(options, source)).needs;
    expect(needs({})).toEqual({ advantages: [], loss: [] });
    expect(needs({ beta: 0.03, reduction: 'dapo', topEntropyQuantile: 0.2, tokenWeights: 'similarity' }).loss).toEqual([
      'refLogp',
      'entropy',
      'embeddings',
      'globalTokens',
    ]);
    expect(rloo(rlooConfig.parse({}, source)).needs.advantages).toEqual(['sequenceKl']);
    expect(rloo(rlooConfig.parse({ beta: 0 }, source)).needs.advantages).toEqual([]);
  });
});

describe('tensors that do not fit', () => {
  const graph = createGraph();
  let count = 0;
  const tensor = (shape: readonly number[], dtype: Tensor['dtype'] = 'float32') =>
    input(graph, `x${count++}`, { dtype, shape });
  const good: PolicyBatch = { logp: tensor([4, 3]), mask: tensor([4, 3], 'bool'), advantages: tensor([4]) };
  const problemsOf = (batch: PolicyBatch, options: object = {}): unknown => {
    try {
      grpo(grpoConfig.parse(options, source)).loss(batch);
    } catch (error) {
      expect(error).toMatchObject({ code: 'GVU_RL_TENSORS' });
      return error instanceof Error && 'details' in error ? error.details : undefined;
    }
    return undefined;
  };

  it('are all named at once', () => {
    const bad: PolicyBatch = {
      ...good,
      mask: tensor([4, 3]),
      advantages: tensor([4, 1]),
      oldLogp: tensor([4, 3], 'float64'),
      embeddings: { values: tensor([4, 2, 8]), groupSize: 3 },
      microBatches: 0,
      maxLength: Number.NaN,
    };
    expect(problemsOf(bad, { beta: 0.1, entropyCoefficient: 0.01, reduction: 'dapo' })).toEqual({
      problems: [
        "'refLogp' is missing",
        "'entropy' is missing",
        "'globalTokens' is missing",
        "'mask' is float32[4, 3], not bool[4, 3]",
        "'advantages' is float32[4, 1], not float32[4]",
        "'oldLogp' is float64[4, 3], not float32[4, 3]",
        "'embeddings' is float32[4, 2, 8], not float32[4, 3, 8]",
        '4 rows are no whole groups of 3',
        "'microBatches' is 0",
        "'maxLength' is NaN",
      ],
    });
    expect(problemsOf(good)).toBeUndefined();
  });

  it('include log-probabilities of half precision or of another rank', () => {
    expect(problemsOf({ ...good, logp: tensor([4, 3], 'float16'), advantages: tensor([4], 'float16') })).toEqual({
      problems: ["'logp' is float16, not float32 or float64"],
    });
    expect(problemsOf({ ...good, logp: tensor([12]), mask: tensor([12], 'bool'), advantages: tensor([12]) })).toEqual({
      problems: ["'logp' has shape [12], not [B, T]"],
    });
  });
});
