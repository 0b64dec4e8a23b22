import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfig } from '@gvu/rl';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, planReproduction, readPlan, requireSame, writePlan } from './plan.ts';

const options: PlanOptions = {
  command: 'gvu reproduce --seeds 2',
  config: runConfig.parse(
    { seed: 4, steps: 7, promptsPerStep: 16, groupSize: 8, evaluation: { rewards: [{ use: 'detector' }] } },
    { source: 'test' },
  ),
  bases: { weak: 'other', regular: 'regular' },
  seeds: 2,
  teacher: 'frozen',
  groups: [{ title: 'GenEval', paper: 'Table 1', tags: ['counting'] }],
};
const plan = planReproduction(options);
const runOf = (folder: string) => {
  const found = plan.runs.find((run) => run.folder === folder);
  if (!found) throw new Error(`there is no run ${folder}`);
  return found;
};

describe('a reproduction', () => {
  it('has the main settings seed by seed, and then every other setting once', () => {
    expect(plan.runs.map(({ folder }) => folder)).toEqual([
      ...[4, 5].flatMap((seed) =>
        ['regular-gvu', 'regular-random', 'regular-bag-of-words', 'weak-gvu'].map((arm) => `${arm}-seed${seed}`),
      ),
      ...['gvu-g2', 'gvu-g16', 'gvu-live', 'gvu-ema', 'gvu-log', 'gvu-pmi', 'jpeg-size', 'detector'].map(
        (arm) => `regular-${arm}-seed4`,
      ),
    ]);
  });

  it('changes one setting at a time, at an equal number of drawings', () => {
    const { config: method } = runOf('regular-gvu-seed4');
    expect(method).toMatchObject({ seed: 4, steps: 7, backend: { options: { model: 'regular' } } });
    for (const { config } of plan.runs) expect(config.promptsPerStep * config.groupSize).toBe(128);
    expect(runOf('regular-gvu-g2-seed4').config).toEqual({ ...method, groupSize: 2, promptsPerStep: 64 });
    expect(runOf('weak-gvu-seed4').config).toEqual({
      ...method,
      backend: { ...method.backend, options: { model: 'other' } },
    });
    const [reward] = method.rewards;
    expect(runOf('regular-gvu-live-seed4').config).toEqual({
      ...method,
      rewards: [{ ...reward, options: { teacher: 'live' } }],
    });
    expect(runOf('regular-random-seed4').config).toEqual({ ...method, rewards: [{ ...reward, use: 'random' }] });
    expect(method.evaluation.rewards?.map(({ use, weight }) => [use, weight])).toEqual([
      ['detector', 1],
      ['gvu', 0],
      ['bag-of-words', 0],
    ]);
  });

  it('has no setting twice, whatever the preset has', () => {
    const other = planReproduction({ ...options, teacher: 'ema', config: { ...options.config, groupSize: 16 } });
    const arms = other.runs.map(({ arm }) => arm);
    expect(arms).toEqual(expect.arrayContaining(['regular-gvu-g8', 'regular-gvu-frozen', 'regular-gvu-live']));
    expect(arms).not.toContain('regular-gvu-g16');
    expect(arms).not.toContain('regular-gvu-ema');
  });

  it('is kept in its folder, and only gone on with as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gvu-reproduce-'));
    try {
      expect(await readPlan(folder)).toBeUndefined();
      await writePlan(folder, plan);
      const there = await readPlan(folder);
      expect(there).toEqual(plan);
      if (!there) return;
      requireSame(folder, there, plan);
      const other = planReproduction({ ...options, seeds: 1 });
      expect(() => requireSame(folder, there, other)).toThrow(/GVU_CLI_USAGE/);
      const evil = { format: 1, ...plan, runs: [{ ...plan.runs[0], folder: '../elsewhere' }] };
      await writeFile(join(folder, 'reproduce.json'), JSON.stringify(evil));
      await expect(readPlan(folder)).rejects.toThrow(/GVU_CONFIG_INVALID/);
      await writeFile(join(folder, 'reproduce.json'), '{');
      await expect(readPlan(folder)).rejects.toThrow(/GVU_CLI_FILE/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
