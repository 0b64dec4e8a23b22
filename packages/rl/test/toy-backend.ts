/**
 * The smallest real backend: a policy of T decisions among V tokens, whose logits are one linear layer over fixed features of (prompt,
 * place). Everything is computed by the engine; it draws, and reads by how many tokens are the prompt's own.
 */
import { fillUniform, randomStream } from '@gvu/core';
import {
  type ActiveAdapter,
  type Adapter,
  type Backend,
  createModules,
  type Drawing,
  type DrawRequest,
  type PolicyTerms,
  type UseOptions,
} from '@gvu/models';
import {
  compile,
  constant,
  constantData,
  createGraph,
  drawToken,
  entropy,
  exactSampler,
  expand,
  flatSize,
  type Graph,
  gather,
  input,
  loraLayout,
  mul,
  output,
  type Runtime,
  reshape,
  type Tensor,
  type TensorData,
  tensorData,
  tokenLogProb,
  toNumbers,
  unflatten,
  weight,
} from '@gvu/onnx';

export const toyPrompts = ['a', 'b', 'c', 'd'];
export const decisions = 6;
export const tokens = 5;
const width = 8;

const modules = [{ name: 'head', kind: 'linear', in: width, out: tokens }] as const;

/** The token that a prompt wants at a place. */
export function wanted(prompt: string, place: number): number {
  return (toyPrompts.indexOf(prompt) + place) % tokens;
}

export class ToyBackend implements Backend {
  readonly name = 'toy';
  readonly version = '1';
  readonly policy = 'autoregressive';
  readonly image = { width: decisions, height: 1, decisions };
  readonly representations = ['emitted-tokens'] as const;
  readonly parameters = width * tokens;
  readonly modules = modules;
  readonly defaultTargets = ['head'];
  readonly sampler = exactSampler;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async draw(requests: readonly DrawRequest[], { adapter }: UseOptions = {}): Promise<readonly Drawing[]> {
    const rows = requests.length;
    const uniform = new Float32Array(rows * decisions);
    requests.forEach(({ randomness }, row) => {
      fillUniform(uniform.subarray(row * decisions, (row + 1) * decisions), randomness);
    });
    const session = await this.#runtime.cached(`toy draw ${rows} ${JSON.stringify(adapter?.options)}`, () => {
      const graph = createGraph({ name: 'toy draw' });
      const numbers = input(graph, 'uniform', { dtype: 'float32', shape: [rows * decisions, 1] });
      const drawn = drawToken(logitsOf(graph, rows, adapterInput(graph, adapter)), numbers, exactSampler);
      output('tokens', drawn.token);
      output('logProbs', drawn.policyLogProb);
      return compile(graph);
    });
    const drawn = await session.run<'tokens' | 'logProbs'>(
      {
        prompts: promptIds(requests.map(({ prompt }) => prompt)),
        uniform: { dtype: 'float32', shape: [rows * decisions, 1], data: uniform },
      },
      adapter ? { variables: adapter.variables } : {},
    );
    const [all, logProbs] = [toNumbers(drawn.tokens), toNumbers(drawn.logProbs)];
    return requests.map(({ prompt }, row) => {
      const own = (values: ArrayLike<number>) => Array.from(values).slice(row * decisions, (row + 1) * decisions);
      const probabilities = Float32Array.from(own(logProbs));
      return { prompt, tokens: Int32Array.from(own(all)), logProbs: probabilities, samplerLogProbs: probabilities };
    });
  }

  async decode(drawings: Parameters<Backend['decode']>[0]) {
    return drawings.map(({ tokens: codes }) => ({
      width: decisions,
      height: 1,
      data: Uint8Array.from([...codes].flatMap((code) => [40 * code, 255 - 40 * code, 128])),
    }));
  }

  async read(requests: Parameters<Backend['read']>[0]) {
    return requests.map(({ image, text }) => {
      const codes = 'tokens' in image ? [...image.tokens] : [];
      const right = codes.filter((code, place) => code === wanted(text, place)).length;
      return { tokens: [text], logProbs: [(right - decisions) / 2] };
    });
  }

  async answer(questions: Parameters<Backend['answer']>[0]) {
    return questions.map(() => 'a');
  }

  readonly trainable: Backend['trainable'] = {
    promptLength: () => 1,
    build: (graph, { rows, adapter, temperature }): PolicyTerms => {
      const logits = mul(logitsOf(graph, rows, adapter), 1 / temperature);
      const codes = reshape(input(graph, 'codes', { dtype: 'int64', shape: [rows, decisions] }), [-1]);
      const table = (x: Tensor) => reshape(x, [rows, decisions]);
      return {
        logp: table(tokenLogProb(logits, codes)),
        entropy: table(entropy(logits)),
        mask: expand(constant(graph, 'bool', [1, 1], [true]), [rows, decisions]),
        embeddings: gather(codebook(graph), reshape(codes, [rows, decisions])),
      };
    },
    feeds: (drawings) => ({
      prompts: promptIds(drawings.map(({ prompt }) => prompt)),
      codes: tensorData(
        'int64',
        [drawings.length, decisions],
        drawings.flatMap((drawing) => [...drawing.tokens]),
      ),
    }),
  };

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Logits [B * T, V]. */
function logitsOf(graph: Graph, rows: number, adapter: Adapter | undefined): Tensor {
  const prompts = input(graph, 'prompts', { dtype: 'int64', shape: [rows] });
  const features = fixed(graph, 'features', [toyPrompts.length, decisions * width], 1.5);
  const hidden = reshape(gather(features, prompts), [rows * decisions, width]);
  const { linear } = createModules(graph, (name, shape) => fixed(graph, name, shape, 0.1, weight), adapter);
  return linear('head', hidden, { out: tokens });
}

function codebook(graph: Graph): Tensor {
  return fixed(graph, 'codebook', [tokens, 3], 1);
}

function fixed(
  graph: Graph,
  name: string,
  shape: readonly number[],
  spread: number,
  make: (graph: Graph, name: string, data: TensorData) => Tensor = (g, _, data) => constantData(g, data),
): Tensor {
  const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
  fillUniform(data, randomStream(5, `toy/${name}`).at());
  return make(graph, name, { dtype: 'float32', shape, data: data.map((u) => spread * (2 * u - 1)) });
}

function adapterInput(graph: Graph, adapter: ActiveAdapter | undefined): Adapter | undefined {
  if (!adapter) return undefined;
  const layout = loraLayout(modules, adapter.options);
  const flat = input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] });
  return { tensors: unflatten(flat, layout), scale: adapter.options.alpha / adapter.options.rank };
}

function promptIds(prompts: readonly string[]): TensorData {
  return tensorData(
    'int64',
    [prompts.length],
    prompts.map((prompt) => toyPrompts.indexOf(prompt)),
  );
}
