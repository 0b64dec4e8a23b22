/** Group advantages against PyTorch (and, when the references were made, against TRL's own code), in float64. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type GroupAdvantageOptions, groupAdvantages } from '../src/advantages.ts';
import { fixture } from './fixtures.ts';

interface Case {
  name: string;
  group_size: number;
  weights: number[];
  scale: GroupAdvantageOptions['scale'];
  aggregation: GroupAdvantageOptions['aggregation'];
  rewards: (number | null)[][];
  advantages: number[];
  advantages_f64: number[];
}

// The file is the fixture's own list of cases.
const { cases } = JSON.parse(readFileSync(join(fixture('group-advantages'), 'cases.json'), 'utf8')) as {
  cases: Case[];
};

describe('group advantages agree with PyTorch', () => {
  it.each(cases)('$name', ({ group_size, weights, scale, aggregation, rewards, advantages, advantages_f64 }) => {
    const columns = weights.map((weight, f) => ({
      name: `reward ${f}`,
      values: rewards.map((row) => row[f] ?? Number.NaN),
      // The reference held its weights in float32 in both precisions.
      weight: Math.fround(weight),
    }));
    const options = { groupSize: group_size, baseline: 'group', scale, aggregation, epsilonAdvantage: 1e-4 } as const;
    const found = groupAdvantages(columns, options);
    const furthest = (expected: readonly number[]) =>
      Math.max(...found.advantages.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))));
    expect(found.advantages).toHaveLength(rewards.length);
    expect(furthest(advantages_f64)).toBeLessThan(1e-9);
    expect(furthest(advantages)).toBeLessThan(1e-4);
  });
});
