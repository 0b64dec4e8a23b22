/**
 * Whether a graph runs on CUDA: every node needs a kernel for its operator's version and for the element types of all its
 * operands and results. ONNX Runtime places a node without one on the CPU, without a word, and copies its tensors back and
 * forth; where the CPU has none either (most of bfloat16), the model does not load.
 *
 * A kernel registered as "N+" serves only nodes whose operator last changed at exactly N (VerifyVersion in ONNX Runtime's
 * kernel_registry.cc), so a newer operator set can lose a kernel that an older one has: see `docs/decisions/0003-lowering.md`.
 * The tables and where they come from: `data/README.md`.
 */
import { readFileSync } from 'node:fs';
import { liveNodes } from '../codec/live.ts';
import type { DType } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { type Block, type Graph, isBlock, type Node, type Tensor } from '../graph/graph.ts';
import { typeText } from '../graph/specs/spec.ts';

/** Kernels of an operator, for some of its versions. */
interface KernelRange {
  /** `13+`, `13` or `[9, 12]`. */
  readonly opset: string;
  /** Element types of the main constraint. */
  readonly types: readonly string[];
  /** The main constraint, where it is not `T`. */
  readonly constraint?: string;
  readonly other?: Readonly<Record<string, readonly string[]>>;
}

/** The constraint of each operand and result; the last one goes on for operators of any number. */
interface Signature {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

interface Tables {
  readonly kernels: Readonly<Record<string, Readonly<Record<string, readonly KernelRange[]>>>>;
  readonly signatures: Readonly<Record<string, Readonly<Record<string, Signature>>>>;
}

let tables: Tables | undefined;

function readTables(): Tables {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`../../data/${name}`, import.meta.url), 'utf8'));
  tables ??= { kernels: read('cuda-kernels.json').cuda, signatures: read('operator-versions.json').operators };
  return tables;
}

/** Operators of ONNX Runtime's own, which have one version each. */
const ownSignatures: Readonly<Record<string, Signature>> = {
  SimplifiedLayerNormalization: { inputs: ['T', 'V'], outputs: ['V', 'U'] },
  FusedMatMul: { inputs: ['T'], outputs: ['T'] },
  QuickGelu: { inputs: ['T'], outputs: ['T'] },
  RotaryEmbedding: { inputs: ['T', 'M', 'T', 'T'], outputs: ['T'] },
};

const kernelTypes: Readonly<Record<DType, string>> = {
  float32: 'float',
  float64: 'double',
  float16: 'float16',
  bfloat16: 'bfloat16',
  int32: 'int32',
  int64: 'int64',
  uint8: 'uint8',
  bool: 'bool',
};

/** Every node that the program needs, in bodies too, and that has no CUDA kernel, as a sentence; empty when the graph runs there whole. */
export function cudaProblems(graph: Graph): readonly string[] {
  const problems: string[] = [];
  const live = liveNodes(graph.main);
  const visit = (block: Block) => {
    for (const node of block.nodes) {
      if (!live.has(node)) continue;
      const problem = nodeProblem(node, graph.opset);
      if (problem) problems.push(problem);
      for (const attribute of Object.values(node.attributes)) if (isBlock(attribute)) visit(attribute);
    }
  };
  visit(graph.main);
  return problems;
}

/** Throws GVU_GRAPH_DEVICE, listing every node without a CUDA kernel. */
export function requireCuda(graph: Graph): void {
  const problems = cudaProblems(graph);
  if (problems.length === 0) return;
  const listed = problems.slice(0, 10);
  throw onnxErrors.error(
    'GVU_GRAPH_DEVICE',
    `${problems.length} node(s) of '${graph.name}' would not run on CUDA: ${listed.join(' ')}${problems.length > listed.length ? ' …' : ''}`,
    { hint: 'Build the graph with target cuda, and cast losses and sampling to float32.', details: { problems } },
  );
}

function nodeProblem(node: Node, opset: number): string | undefined {
  const { kernels } = readTables();
  const ranges = kernels[node.domain === '' ? 'ai.onnx' : node.domain]?.[node.op];
  if (!ranges) return `'${node.name}': CUDA has no ${node.op}.`;
  const [version, signature] = versionOf(node.op, opset);
  const range = ranges.find((candidate) => covers(candidate.opset, version));
  if (!range) {
    const known = ranges.map((candidate) => candidate.opset).join(' and ');
    return `'${node.name}': CUDA has no kernel for version ${version} of ${node.op}, only for ${known}.`;
  }
  const refused = [
    ...refusedOf(node.inputs, signature.inputs, range),
    ...refusedOf(node.outputs, signature.outputs, range),
  ][0];
  return refused && `'${node.name}': CUDA has no ${node.op} for '${refused.name}', ${typeText(refused)}.`;
}

/** The tensors whose element type is not one that the constraint of their place allows. */
function refusedOf(
  tensors: readonly (Tensor | undefined)[],
  constraints: readonly string[],
  { types, constraint: main = 'T', other = {} }: KernelRange,
): readonly Tensor[] {
  return tensors.filter((tensor, i): tensor is Tensor => {
    const constraint = constraints[i] ?? constraints.at(-1) ?? main;
    // Constraints that the table does not name hold one type, which ONNX itself fixes.
    const allowed = constraint === main ? types : other[constraint];
    return tensor !== undefined && allowed !== undefined && !allowed.includes(kernelTypes[tensor.dtype]);
  });
}

/** The operator set, up to `opset`, at which the operator last changed, and its signature since. */
function versionOf(op: string, opset: number): readonly [number, Signature] {
  const own = ownSignatures[op];
  if (own) return [1, own];
  const known = Object.entries(readTables().signatures[op] ?? {}).filter(([since]) => Number(since) <= opset);
  const [since, signature] = known.at(-1) ?? ['0', { inputs: [], outputs: [] }];
  return [Number(since), signature];
}

function covers(opset: string, version: number): boolean {
  // `13+` means 13 alone: see the head of the file.
  const [low = Number.NaN, high = low] = (opset.match(/\d+/g) ?? []).map(Number);
  return version >= low && version <= high;
}
