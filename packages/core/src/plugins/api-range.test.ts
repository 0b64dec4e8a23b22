import { describe, expect, test } from 'vitest';
import { apiRangeAccepts, apiRangeProblem } from './api-range.ts';

describe('a range is a promise', () => {
  test.each([
    '^1.3',
    '~1.3',
    '1.x',
    '1.2.3',
    '>=1.2 <3',
    '1 - 2',
    '^0.3',
    '~0.3.1',
    '0.3.x',
    '^0.3 || ^1.0',
    '<0.5',
    '=0.2.1',
  ])('%j will do', (range) => {
    expect(apiRangeProblem(range)).toBeUndefined();
  });

  test.each(['*', '', 'x', '>=1.3', '>1', '>=0.0.0', '^1.3 || *', '^1.3 || >=3'])('%j has no end', (range) => {
    expect(apiRangeProblem(range)).toContain('must have an end');
  });

  test.each(['^0', '0', '0.x', '~0', '>=0.3 <1', '>=0.3 <=1.0.0', '<2', '^1.0 || ^0', '0 - 1'])(
    '%j spans the minors of 0',
    (range) => {
      expect(apiRangeProblem(range)).toContain('must name its minor versions');
    },
  );

  test.each(['latest', '^one', '1..2', 'file:../core'])('%j is none', (range) => {
    expect(apiRangeProblem(range)).toBe(
      `must be a range of versions such as "^0.1.0", but is ${JSON.stringify(range)}.`,
    );
  });
});

test.each([
  // range, host, accepted
  ['^1.3', '1.3.0', true],
  ['^1.3', '1.9.4', true],
  ['^1.3', '1.1.0', false],
  ['^1.3', '2.0.0', false],
  ['^0.3', '0.3.7', true],
  ['^0.3', '0.4.0', false],
  // A prerelease lies where its number lies.
  ['^1.3', '1.4.0-rc.1', true],
  ['^1.4', '1.4.0-rc.1', true],
  ['^1.5', '1.4.0-rc.1', false],
  ['^2.0.0-rc.1', '2.0.0-rc.2', true],
  ['^2.0.0-rc.2', '2.0.0-rc.1', false],
  // The first prereleases of a breaking version also take the version before it, and only that.
  ['^1.3', '2.0.0-rc.1', true],
  ['^2.0', '3.0.0-alpha', true],
  ['^1.3', '3.0.0-alpha', false],
  ['^0.9', '1.0.0-beta.2', true],
  ['^0.1', '0.2.0-rc.1', true],
  ['^0.1', '0.3.0-rc.1', false],
  ['^1.3', '2.1.0-rc.1', false],
  ['^1.3', '2.0.1-rc.1', false],
  ['^0.1', '0.1.0-rc.1', true],
])('range %j, host %s: %s', (range, version, accepted) => {
  expect(apiRangeAccepts(range, version)).toBe(accepted);
});
