/**
 * How words and image tokens find their way through one decoder: which embedding table, which layers, which final norm and which
 * head each kind passes. With this a decoder of the Llama family becomes X-Omni (tables, layers, norms and heads of its own for
 * images), Janus (an embedding and a head for images) or a model with one vocabulary.
 *
 * Ids of both kinds share one range: image tokens are `image.rows` of them from `image.firstId` on, token 0 of the image first. Words may
 * have ids on both sides.
 */
import {
  and,
  cast,
  clip,
  constant,
  equal,
  gemm,
  greaterOrEqual,
  less,
  minimum,
  replaceRows,
  reshape,
  rmsNorm,
  sub,
  type Tensor,
  where,
} from '@gvu/onnx';
import type { Changes, Decoder } from '../decoder/decoder.ts';
import type { Modules } from '../modules.ts';

/** Names are those of the checkpoint's modules. */
export interface TokenRoutes {
  readonly text: {
    /** Rows of the table of words: ids of words are below this. */
    readonly vocabulary: number;
    readonly embedding: string;
    readonly norm: string;
    /** Absent = the head is the embedding table. */
    readonly head?: string;
    /** Texts are read as if no image token could follow: their logits do not count (Chameleon). */
    readonly hidesImages?: boolean;
  };
  readonly image: {
    readonly firstId: number;
    /** Ids from `firstId` on that have an embedding: what can be drawn and, after it, control tokens. */
    readonly rows: number;
    /** How many of them can be drawn. */
    readonly tokens: number;
    /** Embeddings [N, width] of image tokens [N], counted from 0. */
    readonly embed: (modules: Modules, tokens: Tensor) => Tensor;
    readonly norm: string;
    /** Logits [N, tokens] of hidden states [N, width] behind the norm. */
    readonly logits: (modules: Modules, normal: Tensor) => Tensor;
  };
  /** Layers that change image tokens only: words pass them untouched, but are attended to. Absent = there are none. */
  readonly isImageLayer?: (layer: number) => boolean;
}

export interface RoutedDecoder {
  readonly decoder: Decoder;
  readonly routes: TokenRoutes;
}

/** Which rows of [N, width] are image tokens: all, none, or those where a bool [N, 1] holds. */
export type Places = 'image' | 'text' | Tensor;

/** Continuous features of images that take the places of a placeholder. */
export interface ShownFeatures {
  readonly placeholder: number;
  /** [places of the placeholder in the whole batch, width], in their order. */
  readonly rows: Tensor;
}

/** Which of the ids [B, T] are image tokens: bool [B * T, 1]. */
export function imagePlaces({ routes }: RoutedDecoder, ids: Tensor): Tensor {
  const { firstId, rows } = routes.image;
  const flat = reshape(ids, [-1, 1]);
  return and(greaterOrEqual(flat, firstId), less(flat, firstId + rows));
}

/** Hidden states [B * T, width] of ids [B, T]. */
export function embedRouted(
  { decoder, routes }: RoutedDecoder,
  ids: Tensor,
  { places, features }: { places: Places; features?: ShownFeatures | undefined },
): Tensor {
  const { modules, config } = decoder;
  const { text, image } = routes;
  const flat = reshape(ids, [-1]);
  const embedded = choose(places, {
    image: () => image.embed(modules, clip(sub(flat, image.firstId), 0, image.rows - 1)),
    text: () =>
      modules.embedding(text.embedding, minimum(flat, text.vocabulary - 1), {
        rows: text.vocabulary,
        width: config.width,
      }),
  });
  if (!features) return embedded;
  return replaceRows(embedded, equal(flat, features.placeholder), cast(features.rows, embedded.dtype));
}

/** Which rows each of the decoder's layers changes. */
export function layerChanges({ routes }: RoutedDecoder, places: Places): (layer: number) => Changes {
  const imageRows: Changes = places === 'image' ? 'all' : places === 'text' ? 'none' : places;
  return (layer) => (routes.isImageLayer?.(layer) ? imageRows : 'all');
}

/** Logits of words [N, vocabulary] of hidden states [N, width] that have left the last layer. Never float16. */
export function textLogits(routed: RoutedDecoder, hidden: Tensor, places: Places): Tensor {
  const { decoder, routes } = routed;
  const { vocabulary, head, embedding, hidesImages = false } = routes.text;
  const normal = finalNorm(routed, hidden, places);
  const { width } = decoder.config;
  const logits =
    head === undefined
      ? gemm(normal, decoder.modules.weight(`${embedding}.weight`, [vocabulary, width]), { transB: true })
      : decoder.modules.linear(head, normal, { out: vocabulary });
  const exact = precise(logits);
  if (!hidesImages) return exact;
  const { firstId, rows } = routes.image;
  const isImage = Array.from({ length: vocabulary }, (_, id) => id >= firstId && id < firstId + rows);
  return where(constant(decoder.modules.graph, 'bool', [1, vocabulary], isImage), lowest, exact);
}

/** A logit that no softmax sees. */
const lowest = -3e38;

/** Logits of the image tokens that can be drawn, [N, tokens]. Never float16. */
export function imageLogits(routed: RoutedDecoder, hidden: Tensor, places: Places): Tensor {
  const { decoder, routes } = routed;
  return precise(routes.image.logits(decoder.modules, finalNorm(routed, hidden, places)));
}

/** The norm behind the last layer, of each kind its own. */
export function finalNorm({ decoder, routes }: RoutedDecoder, hidden: Tensor, places: Places): Tensor {
  const { modules, config } = decoder;
  const norm = (name: string) => rmsNorm(hidden, modules.weight(`${name}.weight`, [config.width]), config.epsilon);
  if (routes.image.norm === routes.text.norm) return norm(routes.text.norm);
  return choose(places, { image: () => norm(routes.image.norm), text: () => norm(routes.text.norm) });
}

function choose(places: Places, build: { readonly image: () => Tensor; readonly text: () => Tensor }): Tensor {
  if (places === 'image') return build.image();
  if (places === 'text') return build.text();
  return where(places, build.image(), build.text());
}

/** Losses and sampling need the digits that half precision lacks. */
function precise(logits: Tensor): Tensor {
  return logits.dtype === 'float16' ? cast(logits, 'float32') : logits;
}
