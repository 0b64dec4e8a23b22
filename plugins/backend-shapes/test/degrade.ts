/** Ways in which decoded images differ from drawn ones: noise, blur, and patches replaced by those of a codebook. */
import { fillNormal, type RandomAddress } from '@gvu/core';
import { drawsFrom } from '../src/world/draws.ts';
import { planeSize } from '../src/world/pixels.ts';
import { cellSide, gridSide, imageSide } from '../src/world/world.ts';

export function addNormalNoise(pixels: Uint8Array, deviation: number, address: RandomAddress): Uint8Array {
  const noise = new Float32Array(pixels.length);
  fillNormal(noise, address);
  return clamp(Float32Array.from(pixels, (value, i) => value + deviation * (noise[i] ?? 0)));
}

/** Gaussian blur, separable; the border repeats. `deviation` in pixels. */
export function blur(pixels: Uint8Array, deviation: number): Uint8Array {
  const reach = Math.ceil(3 * deviation);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)));
  const sum = weights.reduce((a, b) => a + b, 0);
  const along = (source: Float32Array, stride: number): Float32Array =>
    source.map((_, i) => {
      const position = Math.floor(i / stride) % imageSide;
      return weights.reduce((total, weight, k) => {
        const at = Math.min(Math.max(position + k - reach, 0), imageSide - 1);
        return total + (weight / sum) * (source[i + (at - position) * stride] ?? 0);
      }, 0);
    });
  return clamp(along(along(Float32Array.from(pixels), 1), imageSide));
}

const patchSize = 3 * cellSide ** 2;

/** Where the values of each patch stand in an image. */
const places = Array.from({ length: gridSide ** 2 }, (_, patch) => {
  const x = (patch % gridSide) * cellSide;
  const y = Math.floor(patch / gridSide) * cellSide;
  return Array.from({ length: patchSize }, (_, i) => {
    const [channel, within] = [Math.floor(i / cellSide ** 2), i % cellSide ** 2];
    const [row, column] = [Math.floor(within / cellSide), within % cellSide];
    return channel * planeSize + (y + row) * imageSide + x + column;
  });
});

function patchesOf(pixels: Uint8Array): Float32Array[] {
  return places.map((of) => Float32Array.from(of, (at) => pixels[at] ?? 0));
}

/** k-means of patches of a cell: k-means++ and then `iterations` of Lloyd's algorithm. */
export function fitCodebook(
  images: readonly Uint8Array[],
  { codes, iterations, address }: { codes: number; iterations: number; address: RandomAddress },
): Float32Array[] {
  const patches = images.flatMap(patchesOf);
  let codebook = distantPatches(patches, codes, address);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const sums = codebook.map(() => new Float64Array(patchSize + 1));
    for (const patch of patches) {
      const sum = sums[nearestCode(patch, codebook)] ?? [];
      for (let i = 0; i < patchSize; i++) sum[i] = (sum[i] ?? 0) + (patch[i] ?? 0);
      sum[patchSize] = (sum[patchSize] ?? 0) + 1;
    }
    codebook = codebook.map((code, index) => {
      const count = sums[index]?.[patchSize] ?? 0;
      return count > 0 ? code.map((_, i) => (sums[index]?.[i] ?? 0) / count) : code;
    });
  }
  return codebook;
}

/** k-means++: each next patch with a probability in proportion to its squared distance from those chosen before. */
function distantPatches(patches: readonly Float32Array[], count: number, address: RandomAddress): Float32Array[] {
  const draws = drawsFrom(address);
  const chosen: Float32Array[] = [draws.pick(patches)];
  const distances = new Float64Array(patches.length).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < count) {
    const last = chosen.at(-1) ?? new Float32Array(patchSize);
    let total = 0;
    for (let i = 0; i < patches.length; i++) {
      const before = distances[i] ?? 0;
      const distance = before === 0 ? 0 : squaredDistance(patches[i] ?? last, last, before);
      distances[i] = Math.min(before, distance);
      total += distances[i] ?? 0;
    }
    let left = draws.uniform() * total;
    let next = -1;
    while (left >= 0 && next < patches.length - 1) left -= distances[++next] ?? 0;
    chosen.push(patches[next] ?? last);
  }
  return chosen;
}

/** The image with each patch replaced by the nearest of the codebook. */
export function quantise(pixels: Uint8Array, codebook: readonly Float32Array[]): Uint8Array {
  const out = new Float32Array(pixels.length);
  patchesOf(pixels).forEach((patch, index) => {
    const code = codebook[nearestCode(patch, codebook)];
    places[index]?.forEach((at, i) => {
      out[at] = code?.[i] ?? 0;
    });
  });
  return clamp(out);
}

function nearestCode(patch: Float32Array, codebook: readonly Float32Array[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let code = 0; code < codebook.length; code++) {
    const distance = squaredDistance(patch, codebook[code] ?? patch, least);
    if (distance >= least) continue;
    least = distance;
    best = code;
  }
  return best;
}

/** Stops adding when the distance is beyond `limit`. */
function squaredDistance(a: Float32Array, b: Float32Array, limit: number): number {
  let sum = 0;
  for (let i = 0; i < patchSize && sum < limit; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
}

function clamp(values: Float32Array): Uint8Array {
  return new Uint8Array(new Uint8ClampedArray(values).buffer);
}
