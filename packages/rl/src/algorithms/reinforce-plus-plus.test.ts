import { expect, it } from 'vitest';
import { grpo, grpoConfig } from './grpo.ts';
import { reinforcePlusPlus, reinforcePlusPlusConfig } from './reinforce-plus-plus.ts';

const source = { source: 'test' };
const batch = { groupSize: 2, rewards: [{ name: 'reward', values: [0.5, 0.501, 0.2, 0.8, Number.NaN, 0.4] }] };

it('gives a prompt whose rollouts are nearly equal small advantages, where GRPO gives it large ones', () => {
  const scaled = reinforcePlusPlus(reinforcePlusPlusConfig.parse({ epsilonAdvantage: 0 }, source)).advantages(batch);
  const grouped = grpo(grpoConfig.parse({ epsilonAdvantage: 0 }, source)).advantages(batch);
  // Deviations from the group are ±0.0005, ±0.3 and 0; their deviation over the batch is sqrt(2 (0.0005² + 0.3²) / 4).
  const std = Math.sqrt((0.0005 ** 2 + 0.3 ** 2) / 2);
  for (const [i, expected] of [-0.0005 / std, 0.0005 / std, -0.3 / std, 0.3 / std, 0, 0].entries())
    expect(scaled.advantages[i]).toBeCloseTo(expected, 12);
  expect(grouped.advantages[1]).toBeCloseTo(Math.SQRT1_2, 9);
  expect(scaled.statistics).toMatchObject({ unscorable: 1, zeroStdFraction: 1 / 3 });
});
