import type { PluginHost } from '@gvu/core';
import { runConfig } from '@gvu/rl';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHost } from '../host.ts';
import { findPart, resolveOptions, withBackendParts } from './resolve-parts.ts';

let host: PluginHost;
beforeAll(async () => {
  host = await openHost();
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const configOf = (value: object) => runConfig.parse(value, { source: 'test' });

describe('names that there are not get the nearest one of their kind', () => {
  test.each([
    [{ backend: { use: 'shpes' } }, 'backends/shapes'],
    [{ rewards: [{ use: 'gvuu' }] }, 'rewards/gvu'],
    [{ algorithm: { use: 'gpro' } }, 'algorithms/grpo'],
    [{ prompts: { use: 'flie' } }, 'prompts/file'],
    [{ evaluation: { rewards: [{ use: 'detecter' }] } }, 'rewards/detector'],
    [{ evaluation: { exam: 'shape' } }, 'exams/shapes'],
    [{ backend: { use: 'janos' } }, 'backends/janus'],
  ])('%j', (value, near) => {
    expect(() => resolveOptions(host, configOf(value))).toThrow(
      expect.objectContaining({ code: 'GVU_PLUGIN_CONTRIBUTION_UNKNOWN', hint: `Did you mean "${near}"?` }),
    );
  });

  test('one of another kind is not taken for it', () => {
    expect(() => findPart(host, { kind: 'algorithms', use: 'gvu' })).toThrow('GVU_PLUGIN_CONTRIBUTION_UNKNOWN');
    expect(findPart(host, { kind: 'exams', use: 'shapes' }).kind).toBe('exams');
    expect(findPart(host, { kind: 'exams', use: 'exams/shapes' }).id).toBe('shapes');
  });
});

test('problems with the options of all parts are reported at once, where they are', () => {
  const config = configOf({
    rewards: [{ use: 'random' }, { use: 'gvu', options: { teachr: 'live', teacher: 'dead' } }],
    algorithm: { options: { beta: -1 } },
  });
  const error = expect.objectContaining({
    code: 'GVU_CONFIG_INVALID',
    details: {
      problems: [
        expect.objectContaining({ pointer: '/algorithm/options/beta' }),
        expect.objectContaining({ pointer: '/rewards/1/options/teachr' }),
        expect.objectContaining({ pointer: '/rewards/1/options/teacher' }),
      ],
    },
  });
  expect(() => resolveOptions(host, config)).toThrow(error);
});

test('defaults of options are filled in, and what comes with the backend works with its model', () => {
  const config = resolveOptions(host, configOf({ backend: { options: { model: 'weak' } } }));
  expect(config.algorithm.options).toMatchObject({ scale: 'group', beta: 0 });
  expect(config.backend.options).toMatchObject({ model: 'weak' });
  expect(config.prompts.options).toMatchObject({ model: 'weak' });
  expect(config.evaluation.rewards?.[0]).toMatchObject({ use: 'detector', options: { model: 'weak' } });
  expect(config.rewards[0]?.options).not.toHaveProperty('model');
  const own = { backend: { options: { model: 'weak' } }, prompts: { options: { model: 'regular' } } };
  expect(resolveOptions(host, configOf(own)).prompts.options).toMatchObject({ model: 'regular' });
  // What is resolved stays what it is: a run that goes on compares it.
  expect(resolveOptions(host, config)).toEqual(config);
});

test('a gate names another reward of the list', () => {
  const gates = (by: string) => ({
    rewards: [
      { use: 'gvu', gate: { by, least: 0.5 } },
      { use: 'detector', weight: 0 },
    ],
  });
  const [gvu] = resolveOptions(host, configOf(gates('detector'))).rewards;
  expect(gvu?.gate).toEqual({ by: 'detector', least: 0.5, otherwise: 0 });
  for (const by of ['aesthetic', 'gvu'])
    expect(() => resolveOptions(host, configOf(gates(by)))).toThrow(/rewards\/0\/gate\/by must be the name.*detector/s);
});

test('a reward stands twice under two names', () => {
  const twice = (second: object) => ({ rewards: [{ use: 'random' }, { use: 'random', ...second }] });
  expect(() => resolveOptions(host, configOf(twice({})))).toThrow(
    /rewards\/1 is another 'random': give one of them a name/,
  );
  const config = resolveOptions(host, configOf(twice({ name: 'again' })));
  expect(config.rewards.map(({ name }) => name)).toEqual([undefined, 'again']);
  expect(config.evaluation.rewards?.map(({ use, name }) => name ?? use)).toEqual(['detector', 'random', 'again']);
});

describe('what a configuration leaves out', () => {
  test('comes with the backend', () => {
    const { prompts, evaluation } = resolveOptions(host, configOf({ prompts: { options: { model: 'weak' } } }));
    expect(prompts).toMatchObject({ use: 'shapes', options: { model: 'weak' } });
    expect(evaluation).toMatchObject({ exam: 'shapes', rewards: [{ use: 'detector', weight: 1 }, { use: 'gvu' }] });
  });

  test('judges by what is trained on too, but not twice and not by what is only reported', () => {
    const rewards = [{ use: 'gvu' }, { use: 'detector' }, { use: 'jpeg-size', weight: 0 }];
    const judges = resolveOptions(host, configOf({ rewards })).evaluation.rewards;
    expect(judges).toMatchObject([
      { use: 'detector', weight: 1, onError: 'fail' },
      { use: 'gvu', weight: 0, onError: 'skip-sample', options: { teacher: 'frozen' } },
    ]);
    expect(judges).toHaveLength(2);
  });

  test('is nothing, and judging by the rewards of the run, where nothing comes with it', () => {
    const rewards = [{ use: 'jpeg-size', weight: 2 }];
    const backend = { use: 'janus', options: { model: '.' } };
    const prompts = { use: 'file', options: { path: 'prompts.txt' } };
    const config = resolveOptions(host, configOf({ backend, prompts, rewards }));
    expect(config.evaluation.exam).toBe('');
    expect(config.evaluation.rewards).toEqual(config.rewards);
    expect(config.evaluation.rewards).toMatchObject([{ use: 'jpeg-size', weight: 2 }]);
  });

  test('must be said when it is prompts', () => {
    const config = configOf({ backend: { use: 'x-omni', options: { model: '.' } } });
    expect(() => resolveOptions(host, config)).toThrow(
      expect.objectContaining({ code: 'GVU_CLI_USAGE', hint: expect.stringContaining('--prompts FILE') }),
    );
    expect(withBackendParts(host, config).prompts.use).toBeUndefined();
  });

  test('may be asked for although it belongs to another backend', () => {
    const config = configOf({
      backend: { use: 'janus', options: { model: '.' } },
      prompts: { use: 'shapes' },
      evaluation: { rewards: [{ use: 'detector' }], exam: '' },
    });
    expect(resolveOptions(host, config)).toMatchObject({
      prompts: { use: 'shapes' },
      evaluation: { exam: '', rewards: [{ use: 'detector' }] },
    });
  });
});
