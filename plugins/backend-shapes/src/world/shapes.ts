/**
 * The shapes of the world: outlines in the square [-1, 1]^2 (x to the right, y down), and their pixels at any size.
 *
 * Each outline is centred and reaches the border of the square in at least one direction. Outlines are the definition of
 * the shapes for both sides: the renderer draws them and the detector compares pixels with them.
 */

/** Whether a point lies inside. */
type Outline = (x: number, y: number) => boolean;

const outlines = {
  circle: (x, y) => x * x + y * y <= 1,
  square: () => true,
  triangle: (x, y) => Math.abs(x) <= (y + 1) / 2,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 1 / 3,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
  // The sextic (u^2 + v^2 - 1)^3 = u^2 v^3, which spans |u| <= 1.14 and -1 <= v <= 1.24.
  heart: (x, y) => {
    const u = 1.14 * x;
    const v = 0.12 - 1.12 * y;
    return (u * u + v * v - 1) ** 3 <= u * u * v ** 3;
  },
  // A disc without another one at its right; moved to the right so that the crescent is in the middle.
  moon: (x, y) => (x - 0.23) ** 2 + y * y <= 1 && (x - 0.78) ** 2 + y * y >= 0.72,
  // Five tips on a circle, and between them points at 0.45 of its radius; moved down so that it is in the middle.
  star: (x, y) => {
    const angle = Math.abs(((Math.atan2(x, 0.1 - y) + 11 * (Math.PI / 5)) % ((2 * Math.PI) / 5)) - Math.PI / 5);
    const radius = Math.hypot(x, 0.1 - y);
    const [across, along] = [radius * Math.sin(angle), radius * Math.cos(angle)];
    const [innerAcross, innerAlong] = [0.45 * Math.sin(Math.PI / 5), 0.45 * Math.cos(Math.PI / 5)];
    return across * (1.05 - innerAlong) <= innerAcross * (1.05 - along);
  },
} as const satisfies Record<string, Outline>;

export type ShapeName = keyof typeof outlines;

const samplesPerPixelSide = 16;
/** The masks drawn before, by shape and side. */
const known = new Map<ShapeName, Float32Array[]>();

/** Which share of each pixel a shape covers when its square is `side` pixels wide; [side, side], 0 to 1. Do not change it. */
export function coverage(shape: ShapeName, side: number): Float32Array {
  const masks = known.get(shape) ?? [];
  known.set(shape, masks);
  masks[side] ??= drawMask(outlines[shape], side);
  return masks[side];
}

function drawMask(inside: Outline, side: number): Float32Array {
  const samples = side * samplesPerPixelSide;
  const at = (index: number): number => ((index + 0.5) / samples) * 2 - 1;
  const out = new Float32Array(side * side);
  for (let row = 0; row < samples; row++) {
    for (let column = 0; column < samples; column++) {
      if (!inside(at(column), at(row))) continue;
      const pixel = Math.floor(row / samplesPerPixelSide) * side + Math.floor(column / samplesPerPixelSide);
      out[pixel] = (out[pixel] ?? 0) + 1 / samplesPerPixelSide ** 2;
    }
  }
  return out;
}
