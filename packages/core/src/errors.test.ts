import { describe, expect, test } from 'vitest';
import { defineErrors, GvuError, isGvuError, statementOf } from './errors.ts';
import { reasonOf } from './thrown.ts';

const table = defineErrors({ GVU_TEST_ONE: 'One.', GVU_TEST_TWO: 'Two.' });

describe('GvuError', () => {
  test('carries code, message, hint, cause and details', () => {
    const cause = new Error('underneath');
    const error = table.error('GVU_TEST_ONE', 'Got 5.', { hint: 'Give 6.', cause, details: { got: 5 } });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('GvuError');
    expect(error.code).toBe('GVU_TEST_ONE');
    expect(error.message).toBe('GVU_TEST_ONE: Got 5. Give 6.');
    expect(error.hint).toBe('Give 6.');
    expect(error.cause).toBe(cause);
    expect(error.details).toEqual({ got: 5 });
  });

  test('leaves out what it is not given', () => {
    const error = table.error('GVU_TEST_TWO', 'Got nothing.');
    expect(error.message).toBe('GVU_TEST_TWO: Got nothing.');
    expect('cause' in error).toBe(false);
    expect(error.hint).toBeUndefined();
    expect(error.details).toBeUndefined();
  });
});

describe('isGvuError', () => {
  test('tells by code', () => {
    const error = table.error('GVU_TEST_ONE', 'Got 5.');
    expect(isGvuError(error)).toBe(true);
    expect(isGvuError(error, 'GVU_TEST_ONE')).toBe(true);
    expect(isGvuError(error, 'GVU_TEST_TWO')).toBe(false);
  });

  test('accepts the error of another copy of the package', () => {
    const foreign = Object.assign(new Error('GVU_TEST_ONE: x'), { name: 'GvuError', code: 'GVU_TEST_ONE' });
    expect(foreign).not.toBeInstanceOf(GvuError);
    expect(isGvuError(foreign, 'GVU_TEST_ONE')).toBe(true);
  });

  test.each([undefined, null, 'GVU_TEST_ONE', new Error('GVU_TEST_ONE'), { name: 'GvuError', code: 'GVU_TEST_ONE' }])(
    'refuses %s',
    (value) => {
      expect(isGvuError(value)).toBe(false);
    },
  );
});

test('what happened is told alone, and as part of a sentence', () => {
  const error = table.error('GVU_TEST_ONE', 'Got 5.', { hint: 'Give 6.' });
  expect(statementOf(error)).toBe('Got 5.');
  expect(reasonOf(error)).toBe('Got 5');
  expect([new Error('No room:'), 'text', undefined].map(reasonOf)).toEqual(['No room', 'text', 'undefined']);
});
