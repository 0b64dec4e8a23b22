/**
 * Everything about the policy that training changes, as variables in the runtime: the adapter, the optimiser's moments, the gradient
 * that is being added up, and a running average of the adapter where someone reads or compares with it.
 */
import type { ActiveAdapter, Backend } from '@gvu/models';
import {
  type FlatLayout,
  flatSize,
  initialLora,
  type LoraAdapter,
  type LoraOptions,
  loraLayout,
  packFlat,
  type Runtime,
  type TensorData,
  tensorData,
  toNumbers,
  unpackFlat,
  type Variables,
} from '@gvu/onnx';
import type { RunConfig } from '../run/config.ts';
import type { AdapterLayout } from './programs.ts';

/** What a checkpoint holds of the policy. All vectors are float32 [P]. */
export interface PolicyValues {
  readonly adapter: TensorData;
  readonly firstMoment: TensorData;
  readonly secondMoment: TensorData;
  /** Absent when no running average is kept. */
  readonly average?: TensorData | undefined;
}

export class PolicyState implements AsyncDisposable {
  readonly options: LoraOptions;
  readonly layout: FlatLayout;
  readonly variables: Variables;
  readonly #runtime: Runtime;
  readonly #first: TensorData;
  #average: Promise<Variables> | undefined;

  private constructor(
    runtime: Runtime,
    parts: Pick<PolicyState, 'options' | 'layout' | 'variables'> & { readonly first: TensorData },
  ) {
    this.#runtime = runtime;
    this.options = parts.options;
    this.layout = parts.layout;
    this.variables = parts.variables;
    this.#first = parts.first;
  }

  /** From a checkpoint, from another adapter, or from the first values of LoRA, which change nothing. */
  static async create(
    runtime: Runtime,
    backend: Backend,
    { config, saved, start }: { config: RunConfig; saved?: PolicyValues | undefined; start?: LoraAdapter | undefined },
  ): Promise<PolicyState> {
    const options = start?.options ?? adapterOptions(config, backend);
    const layout = loraLayout(backend.modules, options);
    const first =
      saved?.adapter ??
      packFlat(layout, 'float32', start?.tensors ?? initialLora(backend.modules, options, config.seed));
    const zeros = { dtype: 'float32', shape: [flatSize(layout)] } as const;
    const variables = await runtime.variables({
      adapter: first,
      firstMoment: saved?.firstMoment ?? zeros,
      secondMoment: saved?.secondMoment ?? zeros,
      gradient: zeros,
    });
    return new PolicyState(runtime, { options, layout, variables, first: saved?.average ?? first });
  }

  get programLayout(): AdapterLayout {
    return { layout: this.layout, scale: this.options.alpha / this.options.rank };
  }

  /** The policy as it is now. */
  get live(): ActiveAdapter {
    return { options: this.options, variables: this.variables };
  }

  /** The running average, which is kept from the first time that it is asked for: ask before the first update. */
  async average(): Promise<ActiveAdapter> {
    this.#average ??= this.#runtime.variables({ adapter: this.#first });
    return { options: this.options, variables: await this.#average };
  }

  /** Moves the running average, if there is one, towards the adapter: after an update. */
  async follow(decay: number): Promise<void> {
    const average = await this.#average;
    if (!average) return;
    const [now, before] = await Promise.all([this.variables.read(['adapter']), average.read(['adapter'])]);
    const old = toNumbers(before.adapter);
    const values = toNumbers(now.adapter).map((value, i) => decay * (old[i] ?? 0) + (1 - decay) * value);
    await average.write({ adapter: tensorData('float32', now.adapter.shape, values) });
  }

  async read(): Promise<PolicyValues> {
    const values = await this.variables.read(['adapter', 'firstMoment', 'secondMoment']);
    return { ...values, average: (await (await this.#average)?.read(['adapter']))?.adapter };
  }

  /** The adapter as PEFT stores it. */
  adapterOf({ adapter }: PolicyValues): LoraAdapter {
    return { options: this.options, tensors: unpackFlat(this.layout, adapter) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.variables.dispose();
    await (await this.#average)?.dispose();
  }
}

/** The adapter that a configuration asks for, with the backend's own targets where it names none. */
export function adapterOptions({ adapter }: RunConfig, backend: Backend): LoraOptions {
  const { rank, alpha, targets } = adapter;
  return { rank, alpha, targets: targets.length > 0 ? targets : backend.defaultTargets };
}
