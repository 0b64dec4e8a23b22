/**
 * Whole rollouts in one program: prefill, then one `Loop` that samples a token and decodes it against growing caches. There is
 * one `run` for a group, nothing crosses to JavaScript between tokens, and ONNX Runtime can hand device memory from one
 * iteration to the next (its CUDA provider has no other way).
 */
import { onnxErrors } from '../errors.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { sameShape, typeText } from '../graph/specs/spec.ts';
import { type Carried, loop } from '../ops/control.ts';
import { concat, gather, reshape, slice, transpose } from '../ops/movement.ts';
import { type Guidance, guide } from './guidance.ts';
import { drawToken, type SamplerOptions } from './sampler.ts';

/** What a decoder hands on from token to token. Rows R = B, or 2B with guidance (conditional first). */
export interface DecoderState<Value> {
  /** Logits of the next token [R, V], float32. */
  readonly logits: Tensor;
  /** Keys and values of each layer [R, H, T, D], which grow along axis 2; positions; masks: whatever the decoder needs. */
  readonly carried: readonly Value[];
}

export interface GenerateOptions {
  readonly steps: number;
  readonly sampler: SamplerOptions;
  readonly guidance?: Guidance | undefined;
  /** Uniform numbers in [0, 1): [steps, B, 1] float32. */
  readonly uniform: Tensor;
  readonly prefill: DecoderState<Carried>;
  /** Decodes one token a row. `token` is [R, 1]; `iteration` counts from 0 (int64 scalar). */
  readonly decode: (token: Tensor, iteration: Tensor, carried: readonly Tensor[]) => DecoderState<Tensor>;
}

export interface Generated {
  /** [B, steps] int64. */
  readonly tokens: Tensor;
  /** [B, steps] float32; see `Draw`. */
  readonly policyLogProbs: Tensor;
  readonly samplerLogProbs: Tensor;
}

/**
 * Samples `steps` tokens a row. The last token is drawn after the loop: its decoding would be work for nothing. Throws
 * GVU_SAMPLER_OPTIONS with everything that does not fit.
 */
export function generate(graph: Graph, options: GenerateOptions): Generated {
  checkOptions(options);
  const { steps, sampler, guidance, uniform, prefill, decode } = options;
  const draw = (logits: Tensor, noise: Tensor) => {
    if (!guidance) return drawToken(logits, noise, sampler);
    const { guided, conditional } = guide(logits, guidance);
    return drawToken(guided, noise, sampler, conditional);
  };
  const bothRows = (token: Tensor) => (guidance ? concat([token, token], 0) : token);
  const [batch = 0] = uniform.shape.slice(1);

  const looped = loop(
    graph,
    { trips: steps - 1, carried: [{ initial: prefill.logits }, ...prefill.carried], name: 'generate' },
    (iteration, [logits, ...carried]) => {
      const drawn = draw(logits ?? prefill.logits, gather(uniform, iteration, 0));
      const next = decode(bothRows(drawn.token), iteration, carried);
      return {
        carried: [next.logits, ...next.carried],
        kept: [drawn.token, drawn.policyLogProb, drawn.samplerLogProb],
      };
    },
  );
  const last = draw(looped.carried[0] ?? prefill.logits, reshape(slice(uniform, 0, { start: -1 }), [batch, 1]));
  const rows = [last.token, last.policyLogProb, last.samplerLogProb].map((final, i) => {
    const before = looped.kept[i]; // [steps - 1, B, 1]
    const all = before ? concat([before, reshape(final, [1, batch, 1])], 0) : reshape(final, [1, batch, 1]);
    return transpose(reshape(all, [steps, batch]), [1, 0]);
  });
  const [tokens, policyLogProbs, samplerLogProbs] = rows;
  if (!tokens || !policyLogProbs || !samplerLogProbs) throw new Error('unreachable: three values are kept');
  return { tokens, policyLogProbs, samplerLogProbs };
}

function checkOptions({ steps, guidance, uniform, prefill }: GenerateOptions): void {
  const { dtype, shape } = prefill.logits;
  const rows = shape[0] ?? 0;
  const batch = guidance ? rows / 2 : rows;
  const problems: string[] = [];
  if (!Number.isInteger(steps) || steps < 1) problems.push(`steps ${steps} is not a whole number from 1`);
  if (!Number.isInteger(batch)) problems.push(`guidance needs pairs of rows, not ${rows} rows`);
  if (guidance && !Number.isFinite(guidance.scale)) problems.push(`the guidance scale is ${guidance.scale}`);
  if (dtype !== 'float32') problems.push(`the logits are ${dtype}, not float32`);
  const expected = [steps, batch, 1];
  if (uniform.dtype !== 'float32' || !sameShape(uniform.shape, expected))
    problems.push(`uniform is ${typeText(uniform)}, not float32[${expected.join(', ')}]`);
  if (problems.length > 0)
    throw onnxErrors.error('GVU_SAMPLER_OPTIONS', `${problems.join('; ')}.`, {
      hint: 'Give one uniform number for each step and sampled row.',
      details: { problems },
    });
}
