/** A backend's trainable policy as a program that can be run at any adapter: what its graph says of drawings. */
import type { Backend, Drawing } from '@gvu/models';
import {
  compile,
  createGraph,
  flatSize,
  gradients,
  input,
  loraLayout,
  mul,
  output,
  type Runtime,
  type Session,
  sum,
  type TensorData,
  tensorData,
  toNumbers,
  unflatten,
} from '@gvu/onnx';
import { adapterOptions } from './subject.ts';

export interface PolicyProgramOptions {
  /** Beyond the length that the backend asks for: programs may pad prompts further. */
  readonly extraLength?: number;
  readonly temperature?: number;
  readonly checkpointing?: boolean;
  /** Whether there is an adapter. */
  readonly adapted?: boolean;
  /** Of Σ weights · log-probabilities, with respect to the adapter. */
  readonly gradient?: boolean;
}

export interface PolicyValues {
  /** [B * T] */
  readonly logp: readonly number[];
  readonly entropy: readonly number[];
  /** 1 where a decision was free. */
  readonly mask: readonly number[];
  /** [P]; empty unless it was asked for. */
  readonly gradient: readonly number[];
}

export interface PolicyProgram extends AsyncDisposable {
  run(options?: { readonly adapter?: readonly number[]; readonly weights?: readonly number[] }): Promise<PolicyValues>;
}

/** The policy of these drawings; each run may be at another adapter [P] and with other weights [B * T]. */
export async function policyProgram(
  { backend, runtime, drawings }: { backend: Backend; runtime: Runtime; drawings: readonly Drawing[] },
  options: PolicyProgramOptions = {},
): Promise<PolicyProgram> {
  const { extraLength = 0, temperature = 1, checkpointing = false, adapted = false, gradient = false } = options;
  const { trainable, modules, image } = backend;
  const rows = drawings.length;
  const promptLength = trainable.promptLength(drawings.map(({ prompt }) => prompt)) + extraLength;
  const graph = createGraph({ name: 'policy of the conformance kit', target: target(runtime) });
  const lora = adapterOptions(backend);
  const layout = loraLayout(modules, lora);
  const flat = adapted ? input(graph, 'adapter', { dtype: 'float32', shape: [flatSize(layout)] }) : undefined;
  const adapter = flat && { tensors: unflatten(flat, layout), scale: lora.alpha / lora.rank };
  const terms = trainable.build(graph, { rows, promptLength, temperature, checkpointing, adapter });
  output('logp', terms.logp);
  output('entropy', terms.entropy);
  output('mask', terms.mask);
  if (flat && gradient) {
    const weights = input(graph, 'weights', { dtype: 'float32', shape: terms.logp.shape });
    for (const found of gradients(sum(mul(terms.logp, weights)), [flat])) output('gradient', found);
  }
  const session: Session = await runtime.load(compile(graph), { use: gradient ? 'training' : 'inference' });
  const feeds = trainable.feeds(drawings, { promptLength });
  return {
    async run({ adapter: at = [], weights = [] } = {}) {
      const given: Record<string, TensorData> = { ...feeds };
      if (flat) given.adapter = tensorData('float32', flat.shape, at);
      if (flat && gradient) given.weights = tensorData('float32', [rows, image.decisions], weights);
      const found = await session.run(given);
      const values = (name: string) => {
        const tensor = found[name];
        return tensor ? toNumbers(tensor) : [];
      };
      return {
        logp: values('logp'),
        entropy: values('entropy'),
        mask: values('mask'),
        gradient: values('gradient'),
      };
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  };
}

function target(runtime: Runtime): 'cuda' | 'cpu' {
  return runtime.info().device === 'cuda' ? 'cuda' : 'cpu';
}
