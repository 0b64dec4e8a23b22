/** Guidance, truncation and the draw restated in float64 on the host, after Hugging Face's warpers, for one row of logits. */
import type { Guidance, SamplerOptions } from '@gvu/onnx';

export function guideOnHost(
  conditional: readonly number[],
  unconditional: readonly number[],
  { scale, formula }: Guidance,
): readonly number[] {
  return conditional.map((c, i) => {
    const u = unconditional[i] ?? 0;
    return formula === 'u + w(c - u)' ? u + scale * (c - u) : (1 + scale) * c - scale * u;
  });
}

/** The token, and its log-probabilities under the policy and under what it was drawn from. */
export function drawOnHost(
  logits: readonly number[],
  uniform: number,
  { temperature, topK, topP, minP }: SamplerOptions,
  policyLogits: readonly number[] = logits,
): { token: number; policy: number; sampler: number } {
  const policy = softmax(policyLogits);
  if (temperature === 0) {
    const token = logits.indexOf(Math.max(...logits));
    return { token, policy: Math.log(policy[token] ?? 0), sampler: 0 };
  }
  // Truncation by rank draws in the order of rank, everything else in the order of the vocabulary.
  const isRanked = (topK > 0 && topK < logits.length) || topP < 1;
  const ids = [...logits.keys()];
  if (isRanked) ids.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  let kept = ids.map((id) => (logits[id] ?? 0) / temperature);
  if (topK > 0) kept = kept.slice(0, topK);
  if (topP < 1) {
    let before = 0;
    kept = softmax(kept).flatMap((mass, i) => {
      const isKept = before < topP;
      before += mass;
      return isKept ? [kept[i] ?? 0] : [];
    });
  }
  const likeliest = Math.max(...kept);
  kept = kept.map((value) => (Math.exp(value - likeliest) >= minP ? value : Number.NEGATIVE_INFINITY));
  const masses = softmax(kept);
  let below = 0;
  const place = masses.findIndex((mass) => {
    below += mass;
    return below > uniform;
  });
  const token = ids[place] ?? Number.NaN;
  return { token, policy: Math.log(policy[token] ?? 0), sampler: Math.log(masses[place] ?? 0) };
}

function softmax(logits: readonly number[]): readonly number[] {
  const top = Math.max(...logits);
  const weights = logits.map((value) => Math.exp(value - top));
  const total = weights.reduce((sum, value) => sum + value, 0);
  return weights.map((value) => value / total);
}
