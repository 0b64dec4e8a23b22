/**
 * The SigLIP-VQ tokenizer against PyTorch, from GLM-Image's layout and from the pickles that X-Omni ships: features, codes, and the
 * semantic latents of codes; and the size that pictures are brought to. All sizes are the fixture's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkpointWeights,
  createModules,
  openTorch,
  torchWeights,
  visionParameters,
  visionTransformer,
  type WeightSource,
} from '@gvu/models';
import {
  compile,
  constantData,
  createGraph,
  type Graph,
  openSafetensors,
  output,
  Runtime,
  reshape,
  type Target,
  tensorData,
} from '@gvu/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectorParameters, type SiglipVqConfig, siglipVqConfig } from '../src/siglip-vq/config.ts';
import { targetSize } from '../src/siglip-vq/fit-image.ts';
import { afterQuantising, beforeQuantising, nearestCodes, semanticLatents } from '../src/siglip-vq/network.ts';
import { difference, type Expected, fixture, numbers, readExpected } from './fixtures.ts';

const tolerance = 5e-5;
const folder = fixture('siglip-vq-tiny');
const { vision_config: facts } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
const encoder = { architecture: 'a small one', heads: facts.num_heads };

interface Opened {
  readonly config: SiglipVqConfig;
  readonly source: (graph: Graph) => WeightSource;
}

/** GLM-Image names the encoding half otherwise, and keeps positions without a batch. */
async function openGlm(): Promise<Opened> {
  const [model, projector] = await Promise.all(
    ['model', 'projector'].map((name) => openSafetensors(join(folder, `${name}.safetensors`))),
  );
  if (!model || !projector) throw new Error('both were just opened');
  const named = new Map(
    [...model.tensors].map(([name, entry]) => {
      const own = name.replace(/^model\.(visual|vqmodel)\./, '');
      return own === 'embeddings.position_embedding.weight'
        ? ['pos_embed', { ...entry, shape: [1, ...entry.shape] }]
        : [own, entry];
    }),
  );
  const tensors = new Map([...named, ...projector.tensors]);
  const config = siglipVqConfig({ vision: tensors, projector: tensors }, encoder);
  return { config, source: (graph) => checkpointWeights(graph, { files: [], tensors }) };
}

async function openPickles(): Promise<Opened> {
  const [vision, projector] = await Promise.all(
    ['vit.pt', 'projector.pt'].map((name) => openTorch(join(fixture('siglip-vq-tiny-pickle'), name))),
  );
  if (!vision || !projector) throw new Error('both were just opened');
  const config = siglipVqConfig({ vision: vision.tensors, projector: projector.tensors }, encoder);
  const names = new Set(visionParameters(config.vision).map(({ name }) => name));
  const [look, project] = await Promise.all([
    torchWeights(vision, visionParameters(config.vision)),
    torchWeights(projector, projectorParameters(config)),
  ]);
  return {
    config,
    source: (graph) => {
      const [first, second] = [look(graph), project(graph)];
      return (name, shape) => (names.has(name) ? first : second)(name, shape);
    },
  };
}

let runtime: Runtime;
let expected: Expected;
beforeAll(async () => {
  runtime = await Runtime.create({ threads: 1 });
  expected = await readExpected(folder);
});
afterAll(() => runtime.dispose());

/** The images of the fixture, by their prefix. */
function images(): readonly string[] {
  const found: string[] = [];
  for (let i = 0; expected.has(`img${i}.pixels`); i++) found.push(`img${i}`);
  return found;
}

describe.each([
  ['in the layout of GLM-Image', openGlm],
  ['in the pickles of X-Omni', openPickles],
])('%s', (_, open) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  });

  it('has the sizes of its configuration', () => {
    const { vision } = opened.config;
    expect(vision).toMatchObject({
      width: facts.hidden_size,
      blocks: facts.depth,
      feedForward: facts.intermediate_size,
      patch: facts.patch_size,
      grid: facts.image_size / facts.patch_size,
      epsilon: facts.layer_norm_eps,
    });
  });

  it.each(['cpu', 'cuda', 'reference'] satisfies Target[])('pictures to codes and back, on %s', async (target) => {
    expect(images().length).toBeGreaterThan(0);
    for (const image of images()) {
      const graph = createGraph({ name: image, target });
      const modules = createModules(graph, opened.source(graph));
      const pixels = expected.tensor(`${image}.pixels`);
      const [rows = 0, columns = 0] = expected.tensor(`${image}.ids`).shape;
      const constant = constantData(graph, pixels);
      const features = visionTransformer(modules, reshape(constant, [1, ...pixels.shape]), opened.config.vision);
      const before = beforeQuantising(modules, features, opened.config);
      const ids = tensorData('int64', [1, rows, columns], expected.values(`${image}.ids`));
      output('vit_features', features);
      output('pre_quant', before);
      output('ids', nearestCodes(modules, before, opened.config));
      output('post_quant', afterQuantising(modules, constantData(graph, ids), opened.config));
      output('decoded', semanticLatents(modules, constantData(graph, ids), opened.config));
      await using session = await runtime.load(compile(graph));
      const found = await session.run({});
      expect(numbers(found.ids)).toEqual(expected.values(`${image}.ids`));
      for (const name of ['vit_features', 'pre_quant', 'post_quant', 'decoded'])
        expect(difference(numbers(found[name]), expected.values(`${image}.${name}`)), `${image} ${name}`).toBeLessThan(
          tolerance,
        );
    }
  });
});

it('pictures are brought to the sizes of the reference, or refused as there', () => {
  const { cases } = JSON.parse(readFileSync(join(folder, 'target_sizes.json'), 'utf8'));
  const sizes = { shortest: 384, longest: 1152, patch: 16, least: 128, aspect: 3 };
  for (const { width, height, target } of cases) {
    const found = targetSize({ width, height }, sizes);
    expect(found ? [found.width, found.height] : null, `${width} x ${height}`).toEqual(target);
  }
});
