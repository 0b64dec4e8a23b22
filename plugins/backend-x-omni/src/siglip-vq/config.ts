/**
 * The sizes of a SigLIP-VQ tokenizer, told from the shapes of its tensors: only the number of heads leaves no trace there. Its two parts
 * are a vision transformer and a projector with the codebook.
 */
import type { VisionTransformerConfig } from '@gvu/models';
import type { FlatEntry } from '@gvu/onnx';
import { xOmniErrors } from '../errors.ts';

export interface SiglipVqConfig {
  readonly vision: VisionTransformerConfig;
  readonly codes: number;
  readonly codeWidth: number;
}

/** Heads of the architectures that X-Omni names. */
const headsOf: Readonly<Record<string, number>> = { siglip2_giant_patch16_384: 16 };

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/**
 * `vision` and `projector` are the tensors of both parts, by the names of X-Omni's release. Throws GVU_XOMNI_ENCODER when they make no
 * tokenizer.
 */
export function siglipVqConfig(
  { vision, projector }: { vision: Shapes; projector: Shapes },
  { architecture, heads = headsOf[architecture] }: { architecture: string; heads?: number | undefined },
): SiglipVqConfig {
  const problems: string[] = [];
  const shape = (tensors: Shapes, name: string, rank: number): readonly number[] => {
    const found = tensors.get(name)?.shape;
    if (found?.length === rank) return found;
    problems.push(found ? `'${name}' has the shape [${found.join(', ')}]` : `'${name}' is missing`);
    return Array.from({ length: rank }, () => 0);
  };
  const [width = 0, , patch = 0] = shape(vision, 'patch_embed.proj.weight', 4);
  const [feedForward = 0] = shape(vision, 'blocks.0.mlp.fc1.weight', 2);
  const [, places = 0] = shape(vision, 'pos_embed', 3);
  const [codes = 0, codeWidth = 0] = shape(projector, 'quantize.embedding.weight', 2);
  const blocks = [...vision.keys()].filter((name) => /^blocks\.\d+\.norm1\.weight$/.test(name)).length;
  const grid = Math.sqrt(places);
  if (!Number.isInteger(grid)) problems.push(`'pos_embed' has ${places} places, which make no square`);
  if (heads === undefined) problems.push(`the heads of '${architecture}' are not known`);
  else if (width % heads > 0) problems.push(`a width of ${width} does not fall into ${heads} heads`);
  if (problems.length > 0 || heads === undefined)
    throw xOmniErrors.error('GVU_XOMNI_ENCODER', `The image encoder cannot be used: ${problems.join('; ')}.`, {
      hint: 'Say vision_config.encoder.num_heads in config.json where the architecture is another one; get both files of one release.',
      details: { problems },
    });
  return { vision: { width, blocks, heads, feedForward, patch, grid, epsilon: 1e-6 }, codes, codeWidth };
}

/** Every tensor of the projector: from features to codes, and the semantic half of the way back. */
export function projectorParameters({ vision, codes, codeWidth }: SiglipVqConfig): readonly FlatEntry[] {
  const { width } = vision;
  const pair = (name: string, shape: readonly number[]) => [
    { name: `${name}.weight`, shape },
    { name: `${name}.bias`, shape: shape.slice(0, 1) },
  ];
  return [
    ...encodingParameters({ vision, codes, codeWidth }),
    ...pair('post_quant_conv', [width, codeWidth, 1, 1]),
    ...[0, 1].flatMap((i) =>
      [1, 2].flatMap((j) => [
        ...pair(`post_conv.${i}.norm${j}`, [width]),
        ...pair(`post_conv.${i}.conv${j}`, [width, width, 3, 3]),
      ]),
    ),
  ];
}

/** The tensors of the projector that encoding reads. */
export function encodingParameters({ vision, codes, codeWidth }: SiglipVqConfig): readonly FlatEntry[] {
  return [
    { name: 'quant_conv.weight', shape: [codeWidth, vision.width, 1, 1] },
    { name: 'quant_conv.bias', shape: [codeWidth] },
    { name: 'quantize.embedding.weight', shape: [codes, codeWidth] },
  ];
}
