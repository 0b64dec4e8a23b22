/**
 * Bytes -> ONNX model message, for bytes of unknown origin. The protobuf library bounds every read and the nesting; here
 * comes what it cannot know: that the message is a model, and that its numbers and names make sense. Tensor values stay
 * where they are in the bytes.
 */
import { fromBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf';
import { onnxErrors } from '../errors.ts';
import { tensorProblem } from './tensor-proto.ts';

/** A model that has a graph and says which operators it means. */
export interface ParsedModel {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  /** Operator set version by domain; the default domain is ''. */
  readonly opsets: ReadonlyMap<string, number>;
}

/** Throws GVU_MODEL_BROKEN for anything that is no ONNX model, with every contradiction found. */
export function parseModel(bytes: Uint8Array): ParsedModel {
  const model = decode(bytes);
  const { graph } = model;
  const problems: string[] = [];
  const opsets = new Map<string, number>();
  for (const { domain, version } of model.opsetImport) {
    const name = domain === 'ai.onnx' ? '' : domain;
    if (opsets.has(name)) problems.push(`The operator set '${domain}' is imported twice.`);
    opsets.set(name, Number(version));
  }
  if (model.irVersion < 3n) problems.push(`Its version of the format is ${model.irVersion}.`);
  if (opsets.size === 0) problems.push('It imports no operator set.');
  if (!graph) throw broken([...problems, 'It has no graph.']);
  problems.push(...graphProblems(graph));
  if (problems.length > 0) throw broken(problems);
  return { model, graph, opsets };
}

/** Every graph inside the attributes of a node. */
export function subgraphs(node: NodeProto): readonly GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }: AttributeProto) => (g ? [g, ...graphs] : graphs));
}

/** Every tensor of a graph, its bodies and its attributes. */
export function* tensorProtos(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const { values, indices } of graph.sparseInitializer) {
    if (values) yield values;
    if (indices) yield indices;
  }
  for (const node of graph.node) {
    for (const { t, tensors } of node.attribute) {
      if (t) yield t;
      yield* tensors;
    }
    for (const body of subgraphs(node)) yield* tensorProtos(body);
  }
}

function decode(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw onnxErrors.error('GVU_MODEL_BROKEN', `${bytes.length} bytes are no ONNX model: ${String(cause)}.`, {
      hint: 'Check that the file is complete and of the ONNX format.',
      cause,
    });
  }
}

/** What a reader of names and sizes relies on. */
function graphProblems(graph: GraphProto): readonly string[] {
  const problems: string[] = [];
  const visit = ({ node, input, output, initializer }: GraphProto): void => {
    if ([...input, ...output, ...initializer].some(({ name }) => name === ''))
      problems.push('A value of the graph has no name.');
    for (const each of node) {
      if (each.opType === '') problems.push(`Node '${each.name}' has no operator.`);
      for (const body of subgraphs(each)) visit(body);
    }
  };
  visit(graph);
  for (const tensor of tensorProtos(graph)) {
    const problem = tensorProblem(tensor);
    if (problem) problems.push(problem);
  }
  return problems;
}

function broken(problems: readonly string[]): Error {
  return onnxErrors.error('GVU_MODEL_BROKEN', `This is no sound ONNX model. ${problems.join(' ')}`, {
    hint: 'Check that the file is complete and of the ONNX format.',
    details: { problems },
  });
}
