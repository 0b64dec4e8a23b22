/** What an ONNX model is, told without loading it: its interface, its operators, the files it needs. No weight is read. */
import type { GraphProto, TypeProto, ValueInfoProto } from 'onnx-buf';
import { elementTypeName } from './element-types.ts';
import { parseModel, subgraphs, tensorProtos } from './parse.ts';
import { externalField } from './tensor-proto.ts';

export interface ModelDescription {
  /** Version of the ONNX format. */
  readonly irVersion: number;
  /** The program that wrote the model. */
  readonly producer: string;
  /** Operator set version by domain; the default domain is ''. */
  readonly opsets: Readonly<Record<string, number>>;
  /** What has to be fed. */
  readonly inputs: readonly DescribedValue[];
  readonly outputs: readonly DescribedValue[];
  /** Each operator of the graph and its bodies, the most frequent first. */
  readonly operators: readonly OperatorCount[];
  /** Tensors stored with the model, embedded or in files, and how many elements they claim to have. */
  readonly weights: { readonly count: number; readonly elements: number };
  /** Files that hold weights, as the model calls them: not checked, not opened. */
  readonly externalFiles: readonly string[];
}

export interface DescribedValue {
  readonly name: string;
  /** A dtype such as `float32`, or what else ONNX has: `int8`, `string`, `sequence` … */
  readonly type: string;
  /** Lengths, names of symbolic lengths, or '?'. Undefined when the model does not say. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OperatorCount {
  readonly domain: string;
  readonly op: string;
  readonly count: number;
}

/** Describes a model. Throws GVU_MODEL_BROKEN for bytes that are none. */
export function readModel(bytes: Uint8Array): ModelDescription {
  const { model, graph, opsets } = parseModel(bytes);
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const weights = [...tensorProtos(graph)];
  return {
    irVersion: Number(model.irVersion),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(' '),
    opsets: Object.fromEntries(opsets),
    // Up to version 3 of the format, initializers are listed among the inputs.
    inputs: graph.input.filter(({ name }) => !stored.has(name)).map(describeValue),
    outputs: graph.output.map(describeValue),
    operators: countOperators(graph),
    weights: { count: weights.length, elements: weights.reduce((sum, { dims }) => sum + elements(dims), 0) },
    externalFiles: [...new Set(weights.flatMap((tensor) => externalField(tensor, 'location') ?? []))],
  };
}

/** Operators by how often they occur, in the graph and its bodies. */
export function countOperators(graph: GraphProto): readonly OperatorCount[] {
  const counts = new Map<string, OperatorCount>();
  const visit = ({ node }: GraphProto): void => {
    for (const each of node) {
      const domain = each.domain === 'ai.onnx' ? '' : each.domain;
      const key = `${domain}::${each.opType}`;
      counts.set(key, { domain, op: each.opType, count: (counts.get(key)?.count ?? 0) + 1 });
      for (const body of subgraphs(each)) visit(body);
    }
  };
  visit(graph);
  return [...counts.values()].sort((a, b) => b.count - a.count || a.op.localeCompare(b.op, 'en'));
}

export function describeValue({ name, type }: ValueInfoProto): DescribedValue {
  return { name, type: typeName(type), shape: shapeOf(type) };
}

function typeName(type: TypeProto | undefined): string {
  const { value } = type ?? {};
  if (value?.case === 'tensorType') return elementTypeName(value.value.elemType);
  return value?.case?.replace(/Type$/, '') ?? 'unknown';
}

/** The declared shape of a tensor; undefined when there is none. */
export function shapeOf(type: TypeProto | undefined): readonly (number | string)[] | undefined {
  if (type?.value.case !== 'tensorType') return undefined;
  return type.value.value.shape?.dim.map(({ value }) => {
    if (value.case === 'dimValue') return value.value < 0n ? '?' : Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : '?';
  });
}

function elements(dims: readonly bigint[]): number {
  return dims.reduce((size, dim) => size * Number(dim), 1);
}
