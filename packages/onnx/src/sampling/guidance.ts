/**
 * Classifier-free guidance of logits: two rows a sample, one conditioned on the prompt (c) and one not (u). Two conventions
 * are in use and differ by one in their scale: Janus and Emu3 write u + w (c - u), Show-o (1 + w) c - w u.
 */
import type { Tensor } from '../graph/graph.ts';
import { add, mul, sub } from '../ops/arithmetic.ts';
import { split } from '../ops/movement.ts';

export interface Guidance {
  readonly scale: number;
  readonly formula: 'u + w(c - u)' | '(1 + w)c - wu';
}

/** Logits [2B, V], conditional rows first, to guided logits [B, V] and the conditional ones. */
export function guide(logits: Tensor, { scale, formula }: Guidance): { guided: Tensor; conditional: Tensor } {
  const half = (logits.shape[0] ?? 0) / 2;
  const [conditional, unconditional = conditional] = split(logits, 0, [half, half]);
  const weight = formula === 'u + w(c - u)' ? scale : 1 + scale;
  return { guided: add(unconditional, mul(sub(conditional, unconditional), weight)), conditional };
}
