import { GvuError } from '@gvu/core';
import { describe, expect, test } from 'vitest';
import { exitCodeOf, failureText, Stopped } from './failure.ts';
import { textTable } from './table.ts';
import { screenOf } from './terminal.ts';
import { duration } from './time.ts';

describe('a stream', () => {
  const terminal = { isTTY: true, columns: 100 };
  const pipe = { isTTY: false, columns: 0 };
  test.each([
    ['a terminal', terminal, {}, { width: 100, color: true, live: true }],
    ['NO_COLOR', terminal, { NO_COLOR: '1' }, { width: 100, color: false, live: true }],
    ['an empty NO_COLOR says nothing', terminal, { NO_COLOR: '' }, { width: 100, color: true, live: true }],
    [
      'NO_COLOR over FORCE_COLOR',
      terminal,
      { NO_COLOR: '1', FORCE_COLOR: '1' },
      { width: 100, color: false, live: true },
    ],
    ['a dumb terminal', terminal, { TERM: 'dumb' }, { width: 100, color: false, live: false }],
    ['a pipe with FORCE_COLOR', pipe, { FORCE_COLOR: '1' }, { width: 120, color: true, live: false }],
  ])('%s', (_, stream, env, expected) => {
    expect(screenOf(stream, env)).toEqual(expected);
  });

  test('a pipe has no width of its own', () => {
    expect(screenOf({} as typeof pipe, {})).toEqual({ width: 120, color: false, live: false });
  });
});

describe('errors', () => {
  const screen = { width: 80, color: false, live: false };
  const cause = new TypeError('underneath');
  const known = new GvuError('GVU_CLI_USAGE', 'It is wrong.', { hint: 'Do it right.', cause });

  test('ours have their code, and the hint on a line of its own', () => {
    expect(failureText(known, { verbose: false, screen })).toBe('GVU_CLI_USAGE: It is wrong.\nDo it right.');
    expect(failureText(known, { verbose: false, screen: { ...screen, color: true } })).toContain(
      '\u001b[31mGVU_CLI_USAGE',
    );
  });

  test('what a plugin refused is told as it told it', () => {
    const wrapped = new GvuError('GVU_PLUGIN_CREATE_FAILED', 'Creating it threw GVU_CLI_USAGE.', { cause: known });
    expect(failureText(wrapped, { verbose: false, screen })).toBe('GVU_CLI_USAGE: It is wrong.\nDo it right.');
    expect(failureText(wrapped, { verbose: true, screen })).toContain('GVU_PLUGIN_CREATE_FAILED');
    const strange = new GvuError('GVU_PLUGIN_CREATE_FAILED', 'Creating it threw TypeError.', { cause });
    expect(failureText(strange, { verbose: false, screen })).toBe(
      'GVU_PLUGIN_CREATE_FAILED: Creating it threw TypeError.',
    );
  });

  test('--verbose adds what lies underneath', () => {
    expect(failureText(known, { verbose: true, screen })).toMatch(/Caused by: TypeError: underneath\n +at /);
  });

  test('unknown ones say how to report them, whatever was thrown', () => {
    expect(failureText(cause, { verbose: false, screen })).toMatch(
      /^Unexpected error: TypeError: underneath\n.*--verbose/,
    );
    expect(failureText(undefined, { verbose: true, screen })).toContain('undefined');
  });

  test('each kind has its exit code', () => {
    expect([known, cause, new Stopped('x'), new GvuError('GVU_CONFIG_INVALID', 'x')].map(exitCodeOf)).toEqual([
      2, 1, 130, 1,
    ]);
  });
});

test('tables align their columns and wrap the last one', () => {
  const rows = [
    ['a', 'number', 'some words that do not fit into one line'],
    ['longer', '', 'x'],
  ];
  expect(textTable(rows, { width: 40 })).toBe(
    'a       number  some words that do not\n                fit into one line\nlonger          x',
  );
  expect(textTable([], { width: 40 })).toBe('');
});

test.each([
  [0.4, '0 s'],
  [59.6, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
  [7199, '2 h 0 min'],
  [Number.POSITIVE_INFINITY, '-'],
  [Number.NaN, '-'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
