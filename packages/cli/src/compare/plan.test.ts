import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfig } from '@gvu/rl';
import { describe, expect, it } from 'vitest';
import { planComparison, plannedRuns, readPlan, requireSame, writePlan } from './plan.ts';

const config = runConfig.parse(
  { seed: 4, steps: 7, evaluation: { rewards: [{ use: 'detector' }] } },
  { source: 'test' },
);

describe('a comparison', () => {
  it('has a run for each reward and seed, seed by seed, which differ in nothing else', () => {
    const runs = plannedRuns(planComparison(config, ['gvu', 'random'], 2));
    expect(runs.map(({ folder }) => folder)).toEqual(['gvu-seed4', 'random-seed4', 'gvu-seed5', 'random-seed5']);
    expect(runs.map((run) => [run.config.seed, run.config.rewards.map(({ use }) => use)])).toEqual([
      [4, ['gvu']],
      [4, ['random']],
      [5, ['gvu']],
      [5, ['random']],
    ]);
    const shared = runs.map((run) => ({ ...run.config, seed: 0, rewards: [] }));
    expect(new Set(shared.map((value) => JSON.stringify(value))).size).toBe(1);
  });

  it('has every reward for a judge once, the score staying first', () => {
    const judges = plannedRuns(planComparison(config, ['gvu', 'detector', 'random'], 1))[0]?.config.evaluation.rewards;
    expect(judges?.map(({ use, weight }) => [use, weight])).toEqual([
      ['detector', 1],
      ['gvu', 0],
      ['random', 0],
    ]);
  });

  it('judges every arm with the same teacher, also where an arm trains with one that follows it', () => {
    const live = '{"use":"gvu","options":{"teacher":"live"}}';
    const { arms, config: shared } = planComparison(config, [live, 'random'], 1);
    expect(arms[0]?.reward.options).toEqual({ teacher: 'live' });
    expect(shared.evaluation.rewards?.[1]).toMatchObject({ use: 'gvu', options: { teacher: 'frozen' } });
  });

  it('takes options of a reward as JSON, and tells arms with one id apart', () => {
    const { arms } = planComparison(config, ['gvu', '{"use":"gvu","options":{"teacher":"live"}}'], 1);
    expect(arms.map(({ name, reward }) => [name, reward.options])).toEqual([
      ['gvu', {}],
      ['gvu-2', { teacher: 'live' }],
    ]);
  });

  it.each([
    [[], /No reward is given/],
    [['gvu'], /at least two/],
    [['gvu', 'gvu'], /twice alike/],
    [['gvu', '{"options":{}}'], /use/],
  ])('refuses %j', (rewards, message) => {
    expect(() => planComparison(config, rewards, 1)).toThrow(message);
  });

  it('is kept in its folder, and only gone on with as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gvu-compare-'));
    try {
      expect(await readPlan(folder)).toBeUndefined();
      const plan = planComparison(config, ['gvu', 'random'], 2);
      await writePlan(folder, plan);
      const there = await readPlan(folder);
      expect(there).toEqual(plan);
      if (!there) return;
      requireSame(folder, there, plan);
      expect(() => requireSame(folder, there, planComparison(config, ['gvu', 'random'], 3))).toThrow(/GVU_CLI_USAGE/);
      await writeFile(join(folder, 'compare.json'), '{"format":2}');
      await expect(readPlan(folder)).rejects.toThrow(/GVU_CONFIG_INVALID/);
      await writeFile(join(folder, 'compare.json'), '{');
      await expect(readPlan(folder)).rejects.toThrow(/GVU_CLI_FILE/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
