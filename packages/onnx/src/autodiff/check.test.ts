import { expect, test } from 'vitest';
import { sharedRuntime, useSharedRuntime } from '../../test/shared-runtime.ts';
import { add, exp, mul, stopGradient } from '../ops/arithmetic.ts';
import { matmul } from '../ops/linear.ts';
import { gather } from '../ops/movement.ts';
import { tensorData } from '../tensor-data.ts';
import { checkGradients } from './check.ts';

useSharedRuntime();

test('right gradients pass, with the worst element of each input', async () => {
  const found = await checkGradients((a, b) => exp(matmul(a, b)), [{ shape: [3, 4] }, { shape: [4, 2], low: 0 }], {
    runtime: sharedRuntime(),
  });
  expect(found.map(({ input }) => input)).toEqual([0, 1]);
  for (const { error, gradient, difference } of found) {
    expect(error).toBeLessThan(1e-8);
    expect(difference).toBeCloseTo(gradient, 6);
  }
});

test('a wrong gradient is an error that names the element, both numbers and the tolerance', async () => {
  // x² with half of its gradient stopped: everything but the element at 0 is wrong.
  const given = tensorData('float32', [3], [0, 20, -0.5]);
  const failure = checkGradients((x) => mul(x, stopGradient(x)), [given], { runtime: sharedRuntime() });
  await expect(failure).rejects.toMatchObject({
    code: 'GVU_AUTODIFF_CHECK',
    details: { input: 0, element: 1, tolerance: 1e-7 },
  });
  await expect(failure).rejects.toThrow(/Element 1 of input 0 \(float32\[3\]\).* above 1e-7/);
});

test('a gradient that is not finite fails', async () => {
  const overflow = checkGradients((x) => exp(mul(x, 1e4)), [{ shape: [2], low: 0.5 }], { runtime: sharedRuntime() });
  await expect(overflow).rejects.toMatchObject({ code: 'GVU_AUTODIFF_CHECK' });
});

test('integers are passed as they are, and float32 is judged by float64', async () => {
  const rows = tensorData('int64', [3], [1, 1, 0]);
  const found = await checkGradients((x, i) => exp(gather(x, i)), [{ shape: [2, 3] }, rows], {
    runtime: sharedRuntime(),
    target: 'cpu',
    dtype: 'float32',
  });
  expect(found).toHaveLength(1);
  expect(found[0]?.error).toBeGreaterThan(1e-9);
});

test('the seed decides the numbers', async () => {
  const check = (seed: number) =>
    checkGradients((a, b) => add(mul(a, b), a), [{ shape: [4] }, { shape: [] }], { runtime: sharedRuntime(), seed });
  expect(await check(1)).toEqual(await check(1));
  expect(await check(1)).not.toEqual(await check(2));
});
