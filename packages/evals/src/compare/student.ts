/**
 * Quantiles of Student's t distribution for any degrees of freedom from 1 and any level: from its distribution function, which is a
 * regularised incomplete beta function, by bisection. With two or three seeds there are few degrees of freedom, where the usual
 * expansions are no good; with several comparisons at once the level is not 95 %.
 *
 * Source: NIST Digital Library of Mathematical Functions, 8.17.22 (continued fraction) and 5.11 (logarithm of gamma).
 */

/** t such that a share `level` of the distribution lies between -t and t. `level` in (0, 1), `freedom` at least 1. */
export function studentQuantile(level: number, freedom: number): number {
  if (freedom > 1e7) return studentQuantile(level, 1e7); // the normal distribution, to seven digits
  const tail = 1 - level;
  let [low, high] = [0, 1];
  while (tailBeyond(high, freedom) > tail && high < 1e12) high *= 2;
  while (high - low > 1e-10 * high) {
    const middle = (low + high) / 2;
    if (tailBeyond(middle, freedom) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The probability that |T| > t. */
function tailBeyond(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** I_x(a, b) */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges quickly on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  return front * betaFraction(x, a, b);
}

/** 1 / (1 + d1 / (1 + d2 / (1 + ...))) of 8.17.22, evaluated from the front (Lentz). */
function betaFraction(x: number, a: number, b: number): number {
  const nonZero = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < 5000; m++) {
    const terms = [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ];
    let change = 1;
    for (const term of terms) {
      d = 1 / nonZero(1 + term * d);
      c = nonZero(1 + term / c);
      change = c * d;
      value *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return value;
}

function logGamma(x: number): number {
  // Stirling's series is good from 10 on; below, Gamma(x) = Gamma(x + 1) / x.
  if (x < 10) return logGamma(x + 1) - Math.log(x);
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}
