/**
 * float16 and bfloat16 as raw 16-bit patterns, converted from numbers with one rounding to nearest, ties to even
 * (IEEE 754-2019, 4.3.1), and to numbers exactly.
 *
 * Rounding a number to float32 first and then to 16 bits would round twice and may miss the nearest by one. The way out
 * is the standard one: the first step rounds to odd, which keeps inexact values off every tie of the second.
 */

const scratch = new DataView(new ArrayBuffer(4));

function floatBits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

/** The float32 bits of `value`; of an inexact one, those of its float32 neighbour with an odd last bit. */
function oddFloatBits(value: number): number {
  const nearest = floatBits(value);
  const rounded = bitsFloat(nearest);
  if (rounded === value || Number.isNaN(value)) return nearest;
  const towardsZero = Math.abs(rounded) > Math.abs(value) ? nearest - 1 : nearest;
  return (towardsZero | 1) >>> 0;
}

function bitsFloat(bits: number): number {
  scratch.setUint32(0, bits >>> 0);
  return scratch.getFloat32(0);
}

/** The bits of the bfloat16 nearest to `value`; NaN stays a (quiet) NaN. */
export function toBfloat16(value: number): number {
  const bits = oddFloatBits(value);
  if (Number.isNaN(value)) return (bits >>> 16) | 0x0040;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBfloat16(bits: number): number {
  return bitsFloat(bits << 16);
}

/** The bits of the float16 nearest to `value`; overflow becomes infinity, NaN stays a (quiet) NaN. */
export function toFloat16(value: number): number {
  const bits = oddFloatBits(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) {
    // Normal: re-bias the exponent from 127 to 15 and round away 13 bits of the mantissa.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  // Subnormal: next to 0.5 the float32 grid has the step 2^-24, that of float16 here, so the addition does the rounding.
  return sign | (floatBits(Math.fround(bitsFloat(magnitude) + 0.5)) - 0x3f000000);
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
