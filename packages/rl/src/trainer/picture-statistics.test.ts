import type { Pixels } from '@gvu/models';
import { expect, test } from 'vitest';
import { diversity, pictureStatistics } from './picture-statistics.ts';

const picture = (width: number, ...values: readonly number[]): Pixels => ({
  width,
  height: values.length / 3 / width,
  data: Uint8Array.from(values),
});

test('by hand', () => {
  // Red, grey; black, half-saturated green.
  const { saturation, brightness, sharpness } = pictureStatistics(
    picture(2, 255, 0, 0, 51, 51, 51, 0, 0, 0, 102, 204, 102),
  );
  expect(saturation).toBeCloseTo((1 + 0 + 0 + 0.5) / 4, 12);
  expect(brightness).toBeCloseTo((1 + 0.2 + 0 + 0.8) / 4, 12);
  // Rows: 204 + 51 + 51 and 102 + 204 + 102; columns: 255 and 51 + 153 + 51.
  expect(sharpness).toBeCloseTo((306 + 408 + 255 + 255) / 12 / 255, 12);
  expect(pictureStatistics(picture(1, 9, 9, 9)).sharpness).toBe(0);
});

test('noise is sharper than a ramp with the same values', () => {
  const ramp = Array.from({ length: 16 }, (_, i) => 16 * i);
  const mixed = ramp.map((_, i) => ramp[(7 * i) % 16] ?? 0);
  const grey = (values: readonly number[]) => picture(4, ...values.flatMap((value) => [value, value, value]));
  expect(pictureStatistics(grey(mixed)).sharpness).toBeGreaterThan(pictureStatistics(grey(ramp)).sharpness);
  expect(pictureStatistics(grey(mixed)).brightness).toBe(pictureStatistics(grey(ramp)).brightness);
});

test('diversity is of pairs within groups, not between them', () => {
  const [black, white, grey] = [0, 255, 51].map((value) => picture(1, value, value, value));
  if (!black || !white || !grey) throw new Error('no pictures');
  expect(diversity([[black, white]])).toBe(1);
  expect(
    diversity([
      [black, black],
      [white, white],
    ]),
  ).toBe(0);
  expect(
    diversity([
      [black, black, white],
      [black, grey],
    ]),
  ).toBeCloseTo((2 / 3 + 0.2) / 2, 12);
  expect(diversity([[black], [white]])).toBeNaN();
});
