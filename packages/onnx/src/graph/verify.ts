/**
 * Checks a whole graph before it is compiled. It catches what ONNX Runtime accepts in silence and answers with wrong
 * numbers (a carried value whose shape the body changes, a name that shadows another, an external region of the wrong
 * length), and what it reports without the graph's own names. All problems are collected.
 */
import { statSync } from 'node:fs';
import { dtypes } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { sizeOf } from '../tensor-data.ts';
import { type Block, DYNAMIC, type FileRegion, type Graph, isBlock, type Node, type Tensor } from './graph.ts';
import { sameShape, typeText } from './specs/spec.ts';
import { inferOutputs, isOpName } from './specs.ts';

/** Throws GVU_GRAPH_INVALID, with all problems in `details.problems`, unless the graph keeps every rule. */
export function verify(graph: Graph): void {
  const problems = graphProblems(graph);
  if (problems.length === 0) return;
  throw onnxErrors.error(
    'GVU_GRAPH_INVALID',
    `Graph '${graph.name}' has ${problems.length} problem(s): ${problems.join(' ')}`,
    {
      hint: 'Graphs built by the functions of this package keep these rules; look at what changed the graph by hand.',
      details: { problems },
    },
  );
}

/** Every broken rule as a sentence; empty for a sound graph. */
export function graphProblems(graph: Graph): readonly string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  const declare = (tensor: Tensor) => {
    if (names.has(tensor.name)) problems.push(`The name '${tensor.name}' is taken twice.`);
    names.add(tensor.name);
    if (tensor.shape.some((dim) => !Number.isInteger(dim) || dim < DYNAMIC))
      problems.push(`'${tensor.name}' has an impossible shape ${typeText(tensor)}.`);
  };
  for (const tensor of graph.constants.values()) declare(tensor);
  for (const tensor of graph.weights.values()) {
    declare(tensor);
    if (tensor.source.kind === 'weight' && 'file' in tensor.source.data)
      problems.push(...regionProblems(tensor, tensor.source.data));
  }
  if (graph.main.outputs.length === 0) problems.push('The graph has no output.');

  const roots = new Set<Tensor>([...graph.constants.values(), ...graph.weights.values()]);
  const visit = (block: Block, outer: ReadonlySet<Tensor>) => {
    const visible = new Set(outer);
    for (const tensor of block.inputs) {
      declare(tensor);
      visible.add(tensor);
    }
    for (const node of block.nodes) {
      if (node.outputs.some((tensor) => tensor.block !== block))
        problems.push(`'${node.name}' stands in another block than its outputs.`);
      for (const tensor of node.inputs)
        if (tensor && !visible.has(tensor))
          problems.push(`'${node.name}' reads '${tensor.name}', which is not computed before it or not visible there.`);
      for (const attribute of Object.values(node.attributes)) if (isBlock(attribute)) visit(attribute, visible);
      problems.push(...typeProblems(node, graph.opset));
      for (const tensor of node.outputs) {
        declare(tensor);
        visible.add(tensor);
      }
    }
    for (const { name, tensor } of block.outputs)
      if (!visible.has(tensor))
        problems.push(`Output '${name}' of '${block.name}' is '${tensor.name}', which is not visible there.`);
  };
  visit(graph.main, roots);
  return problems;
}

/** Infers the node's types again and compares them with what its outputs claim. */
function typeProblems(node: Node, opset: number): readonly string[] {
  if (!isOpName(node.op)) return [`'${node.name}' is of the unknown operator '${node.op}'.`];
  try {
    const { types } = inferOutputs(node.op, node.inputs, node.attributes, { name: node.name, opset });
    return types.flatMap((type, i) => {
      const claimed = node.outputs[i];
      if (!claimed) return [`'${node.name}' lacks output ${i}.`];
      const right = claimed.dtype === type.dtype && sameShape(claimed.shape, type.shape);
      return right ? [] : [`'${claimed.name}' claims ${typeText(claimed)} but is ${typeText(type)}.`];
    });
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function regionProblems(tensor: Tensor, { file, offset, length }: FileRegion): readonly string[] {
  const needed = sizeOf(tensor.shape) * dtypes[tensor.dtype].bytes;
  if (length !== needed)
    return [`Weight '${tensor.name}' of ${typeText(tensor)} needs ${needed} bytes, its region has ${length}.`];
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) return [`Weight '${tensor.name}' lies in '${file}', which does not exist.`];
  return offset + length > size
    ? [`Weight '${tensor.name}' ends at byte ${offset + length}, but '${file}' has only ${size}.`]
    : [];
}
