/**
 * The policy of the shapes model as a differentiable graph: the log-probabilities of drawings, all codes of all rows in one pass.
 * What it computes for a drawing at temperature 1 is what the drawing was told to have when it was drawn.
 */
import {
  createModules,
  type Drawing,
  type PolicyGraphOptions,
  type PolicyTerms,
  type TrainablePolicy,
} from '@gvu/models';
import {
  constant,
  type DType,
  entropy,
  expand,
  type Graph,
  gather,
  input,
  mul,
  slice,
  type Tensor,
  tokenLogProb,
} from '@gvu/onnx';
import { codeLogits, createBackbone, drawingMask, embedSequences, runSequences } from '../model/backbone.ts';
import { imageTokens, type ShapesConfig, tokenIds } from '../model/config.ts';
import type { WeightSource } from '../model/programs.ts';
import { drawingSequences } from '../model/sequences.ts';
import type { Texts } from './texts.ts';

export interface PolicySource {
  readonly config: ShapesConfig;
  readonly weights: WeightSource;
  readonly texts: Pick<Texts, 'prompts' | 'promptLength'>;
}

const names = {
  ids: 'drawing ids',
  positions: 'drawing positions',
  real: 'drawing real',
  codes: 'drawing codes',
} as const;

export function createPolicy({ config, weights, texts }: PolicySource): TrainablePolicy {
  const ids = tokenIds(config);
  const sourceOf = oncePerGraph(weights);
  return {
    promptLength(prompts) {
      texts.prompts(prompts); // refuses those that it cannot take
      return texts.promptLength;
    },
    build: (graph, options) => buildPolicy(graph, { config, source: sourceOf(graph) }, options),
    feeds(drawings, { promptLength: padded }) {
      const rows = drawings.map(({ prompt, tokens }) => ({
        prompt: ids.words.encode(prompt),
        codes: tokens.subarray(0, -1), // nothing follows the last code
      }));
      const sequences = drawingSequences(ids, rows, { promptLength: padded });
      return {
        [names.ids]: sequences.ids,
        [names.positions]: sequences.positions,
        [names.real]: sequences.real,
        [names.codes]: { dtype: 'int64', shape: [drawings.length, imageTokens], data: codesOf(drawings) },
      };
    },
  };
}

function buildPolicy(
  graph: Graph,
  { config, source }: { config: ShapesConfig; source: ReturnType<WeightSource> },
  { rows, promptLength, adapter, temperature, checkpointing = false }: PolicyGraphOptions,
): PolicyTerms {
  const length = promptLength + 2 + imageTokens - 1;
  const modules = createModules(graph, source, adapter);
  const backbone = createBackbone(modules, config, { positions: length, checkpointing });
  const declared = (name: string, dtype: DType, size: number) =>
    graph.main.inputs.find((known) => known.name === name) ?? input(graph, name, { dtype, shape: [rows, size] });
  const codes = declared(names.codes, 'int64', imageTokens);
  const positions = declared(names.positions, 'int64', length);
  const mask = drawingMask(backbone, declared(names.real, 'float32', length));
  const embedded = embedSequences(backbone, declared(names.ids, 'int64', length), { imageAt: promptLength + 2 });
  const hidden = runSequences(backbone, embedded, { positions, mask });
  const logits = codeLogits(backbone, slice(hidden, 1, { start: -imageTokens }));
  const tempered = temperature === 1 ? logits : mul(logits, 1 / temperature);
  const { codes: size, latent } = config.tokenizer;
  return {
    logp: tokenLogProb(tempered, codes),
    entropy: entropy(tempered),
    mask: expand(constant(graph, 'bool', [1, 1], [true]), [rows, imageTokens]),
    embeddings: gather(modules.weight('tokenizer.codebook.weight', [size, latent]), codes),
  };
}

/** A graph may hold the policy twice, with an adapter and without: its weights are declared once. */
function oncePerGraph(weights: WeightSource): WeightSource {
  const sources = new WeakMap<Graph, ReturnType<WeightSource>>();
  return (graph) => {
    const known = sources.get(graph);
    if (known) return known;
    const source = weights(graph);
    const tensors = new Map<string, Tensor>();
    const once: typeof source = (name, shape) => {
      const tensor = tensors.get(name) ?? source(name, shape);
      tensors.set(name, tensor);
      return tensor;
    };
    sources.set(graph, once);
    return once;
  };
}

function codesOf(drawings: readonly Drawing[]): BigInt64Array {
  return BigInt64Array.from(
    drawings.flatMap(({ tokens }) => [...tokens]),
    BigInt,
  );
}
