import { expect, test } from 'vitest';
import { normalQuantile } from './normal-quantile.ts';

// sqrt(2) erfinv(2p - 1) of the float64 p, computed with 40 digits by mpmath 1.3.
test.each([
  [0.25, -0.6744897501960817],
  [0.925, 1.4395314709384563],
  [0.0749, -1.4402382675279637],
  [0.075, -1.439531470938456],
  [0.001, -3.0902323061678136],
  [0.975, 1.9599639845400538],
  [1e-6, -4.753424308822899],
  [0.9999999, 5.199337582290661],
  [2 ** -33, -6.3379577545537895],
  [2 ** -24, -5.294704084854598],
  [1 - 2 ** -33, 6.3379577545537895],
])('quantile of %d', (probability, expected) => {
  expect(Math.abs(normalQuantile(probability) / expected - 1)).toBeLessThan(1e-15);
});

test('the median is exactly 0, and the function is odd and increasing across its ranges', () => {
  expect(normalQuantile(0.5)).toBe(0);
  let previous = Number.NEGATIVE_INFINITY;
  for (let i = 1; i < 4096; i++) {
    const z = normalQuantile(i / 4096);
    expect(z).toBeGreaterThan(previous);
    expect(normalQuantile(1 - i / 4096)).toBe(z === 0 ? 0 : -z);
    previous = z;
  }
});
