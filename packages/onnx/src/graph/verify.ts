/**
 * Checks a whole graph before it is compiled: what ONNX Runtime accepts in silence (a carried value whose shape the body
 * changes, a name that stands for two tensors, a type that is not the node's), and what it reports without the names of
 * the graph. All problems are collected. What ONNX Runtime does with each is shown in `test/silent-errors.test.ts`.
 */
import { statSync } from 'node:fs';
import { dtypes } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { checkTensorData, sizeOf } from '../tensor-data.ts';
import { type Block, DYNAMIC, type FileRegion, type Graph, isBlock, type Node, type Tensor } from './graph.ts';
import { sameShape, typeText } from './specs/spec.ts';
import { inferOutputs, isOpName } from './specs.ts';

/** Largest model that protobuf can hold, minus a generous allowance for its nodes. */
const EMBEDDED_BYTES_LIMIT = 2 ** 31 - 2 ** 27;

/** Throws GVU_GRAPH_INVALID, with all problems in `details.problems`, unless the graph keeps every rule. */
export function verify(graph: Graph): void {
  const problems = graphProblems(graph);
  if (problems.length === 0) return;
  throw onnxErrors.error(
    'GVU_GRAPH_INVALID',
    `Graph '${graph.name}' has ${problems.length} problem(s): ${problems.join(' ')}`,
    {
      hint: 'Graphs built by the functions of this package keep most of these rules; look at what was added by hand.',
      details: { problems },
    },
  );
}

/** Every broken rule as a sentence; empty for a sound graph. */
export function graphProblems(graph: Graph): readonly string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  const takeName = (name: string) => {
    if (name === '') problems.push('A tensor has an empty name.');
    else if (names.has(name)) problems.push(`The name '${name}' is taken twice.`);
    names.add(name);
  };
  const declare = (tensor: Tensor, least: number) => {
    takeName(tensor.name);
    if (tensor.shape.some((dim) => !Number.isSafeInteger(dim) || dim < least))
      problems.push(`'${tensor.name}' has an impossible shape [${tensor.shape.join(', ')}].`);
  };
  const visit = (block: Block, outer: ReadonlySet<Tensor>) => {
    const visible = new Set(outer);
    for (const tensor of block.inputs) {
      declare(tensor, DYNAMIC);
      visible.add(tensor);
    }
    for (const node of block.nodes) {
      for (const tensor of node.inputs)
        if (tensor && !visible.has(tensor))
          problems.push(`'${node.name}' reads '${tensor.name}', which is not computed before it or not visible there.`);
      for (const attribute of Object.values(node.attributes)) if (isBlock(attribute)) visit(attribute, visible);
      problems.push(...nodeProblems(node, block));
      for (const tensor of node.outputs) {
        declare(tensor, DYNAMIC);
        visible.add(tensor);
      }
    }
    problems.push(...outputProblems(block, visible));
  };

  const roots = new Set<Tensor>([...graph.constants.values(), ...graph.weights.values()]);
  for (const tensor of roots) declare(tensor, 0);
  problems.push(...sourceProblems(roots));
  visit(graph.main, roots);
  for (const { name, tensor } of graph.main.outputs)
    if (tensor.name !== name || tensor.source.kind !== 'node') takeName(name);
  for (const tensor of [...graph.main.inputs, ...graph.main.outputs.map((output) => output.tensor)])
    if (tensor.dtype === 'bfloat16')
      problems.push(`'${tensor.name}' is bfloat16, which cannot be fed or fetched; cast it from or to float32.`);
  return [...new Set(problems)];
}

function nodeProblems(node: Node, block: Block): readonly string[] {
  const problems = typeProblems(node, block.graph.opset);
  if (node.block !== block || node.outputs.some((tensor) => tensor.block !== block))
    problems.push(`'${node.name}' stands in another block than it says.`);
  for (const [name, value] of Object.entries(node.attributes)) {
    const numbers = typeof value === 'number' ? [value] : Array.isArray(value) ? value : [];
    if (!numbers.every((number) => Number.isSafeInteger(number)))
      problems.push(`Attribute '${name}' of '${node.name}' must be of integers, not ${numbers.join(', ')}.`);
  }
  return problems;
}

/** Infers the node's types again and compares them with what its outputs claim. */
function typeProblems(node: Node, opset: number): string[] {
  if (!isOpName(node.op)) return [`'${node.name}' is of the unknown operator '${node.op}'.`];
  try {
    const { domain, types } = inferOutputs(node.op, node.inputs, node.attributes, { name: node.name, opset });
    const problems = node.outputs.flatMap((claimed, i) => {
      const type = types[i];
      const right = type && claimed.dtype === type.dtype && sameShape(claimed.shape, type.shape);
      return right ? [] : [`'${claimed.name}' claims ${typeText(claimed)} but is ${type ? typeText(type) : 'absent'}.`];
    });
    if (node.outputs.length < types.length) problems.push(`'${node.name}' lacks output ${node.outputs.length}.`);
    if (node.domain !== domain)
      problems.push(`'${node.name}' is of domain '${node.domain}', ${node.op} of '${domain}'.`);
    return problems;
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** The program's outputs may be any value; a body's must be made in the body. */
function outputProblems(block: Block, visible: ReadonlySet<Tensor>): readonly string[] {
  const { outputs, parent } = block;
  const problems: string[] = [];
  if (outputs.length === 0) problems.push(`'${block.name}' has no output.`);
  for (const { name, tensor } of outputs) {
    const where = `Output '${name}' of '${block.name}' is '${tensor.name}'`;
    if (!visible.has(tensor)) problems.push(`${where}, which is not visible there.`);
    else if (parent && tensor.block !== block) problems.push(`${where}, which a body must copy by Identity.`);
  }
  return problems;
}

/** Values in memory must fill their tensors; values in files must be there. */
function sourceProblems(tensors: Iterable<Tensor>): readonly string[] {
  const problems: string[] = [];
  const fileSizes = new Map<string, number | undefined>();
  const sizeOfFile = (file: string) => {
    if (!fileSizes.has(file)) {
      const stat = statSync(file, { throwIfNoEntry: false });
      fileSizes.set(file, stat?.isFile() ? stat.size : undefined);
    }
    return fileSizes.get(file);
  };
  let embedded = 0;
  for (const tensor of tensors) {
    const { source } = tensor;
    if (source.kind !== 'weight' && source.kind !== 'constant') continue;
    if ('file' in source.data) {
      problems.push(...regionProblems(tensor, source.data, sizeOfFile));
      continue;
    }
    embedded += source.data.data.byteLength;
    if (tensor.dtype !== source.data.dtype || !sameShape(tensor.shape, source.data.shape))
      problems.push(`'${tensor.name}' claims ${typeText(tensor)} but its values are ${typeText(source.data)}.`);
    try {
      checkTensorData(source.data, tensor.name);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (embedded > EMBEDDED_BYTES_LIMIT)
    problems.push(`${embedded} bytes of weights are held in memory, more than a model can embed; keep them in files.`);
  return problems;
}

function regionProblems(
  tensor: Tensor,
  { file, offset, length }: FileRegion,
  sizeOfFile: (file: string) => number | undefined,
): readonly string[] {
  const needed = sizeOf(tensor.shape) * dtypes[tensor.dtype].bytes;
  if (length !== needed)
    return [`Weight '${tensor.name}' of ${typeText(tensor)} needs ${needed} bytes, its region has ${length}.`];
  if (!Number.isSafeInteger(offset) || offset < 0)
    return [`Weight '${tensor.name}' lies at the impossible offset ${offset} of '${file}'.`];
  const size = sizeOfFile(file);
  if (size === undefined) return [`Weight '${tensor.name}' lies in '${file}', which is no file.`];
  return offset + length > size
    ? [`Weight '${tensor.name}' ends at byte ${offset + length}, but '${file}' has only ${size}.`]
    : [];
}
