/** A graph as text, one line a value: for people, and for snapshots that show what a function builds. */
import type { DType } from '../dtype.ts';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../half.ts';
import { toNumbers } from '../tensor-data.ts';
import { type Attribute, type Block, type Graph, isBlock, type Node, type Tensor } from './graph.ts';
import { typeText } from './specs/spec.ts';

/** The whole graph. Small constants are written as values where they are used, large ones by name. */
export function printGraph(graph: Graph): string {
  const lines = [`graph ${graph.name} (${graph.target}, operator set ${graph.opset})`];
  for (const tensor of graph.weights.values()) lines.push(`  weight ${tensor.name}: ${typeText(tensor)}`);
  printBlock(graph.main, '  ', lines);
  return lines.join('\n');
}

function printBlock(block: Block, indent: string, lines: string[]): void {
  for (const tensor of block.inputs) lines.push(`${indent}input ${tensor.name}: ${typeText(tensor)}`);
  for (const node of block.nodes) printNode(node, indent, lines);
  for (const { name, tensor } of block.outputs) lines.push(`${indent}output ${name}: ${operandText(tensor)}`);
}

function printNode(node: Node, indent: string, lines: string[]): void {
  const results = node.outputs.map((tensor) => `${tensor.name}: ${typeText(tensor)}`).join(', ');
  const operands = node.inputs.map((tensor) => (tensor ? operandText(tensor) : '-'));
  const blocks: [string, Block][] = [];
  const attributes: string[] = [];
  for (const [name, value] of Object.entries(node.attributes)) {
    if (isBlock(value)) blocks.push([name, value]);
    else attributes.push(`${name}=${attributeText(value)}`);
  }
  lines.push(`${indent}${results} = ${node.op}(${[...operands, ...attributes].join(', ')})${gradientText(node)}`);
  for (const [name, block] of blocks) {
    lines.push(`${indent}  ${name}:`);
    printBlock(block, `${indent}    `, lines);
  }
}

function gradientText({ gradientTo }: Node): string {
  if (gradientTo === undefined) return '';
  return gradientTo === null ? '  # no gradient' : `  # gradient to ${gradientTo.name}`;
}

function operandText(tensor: Tensor): string {
  if (tensor.source.kind !== 'constant' || tensor.source.data.data.length > 8) return tensor.name;
  const values = toNumbers(tensor.source.data).map((value) => numberText(value, tensor.dtype));
  return tensor.shape.length === 0 ? (values[0] ?? '') : `[${values.join(', ')}]`;
}

const roundings: Readonly<Partial<Record<DType, (value: number) => number>>> = {
  float32: Math.fround,
  float16: (value) => fromFloat16(toFloat16(value)),
  bfloat16: (value) => fromBfloat16(toBfloat16(value)),
};

/** The shortest decimal that names the same number in its dtype. */
function numberText(value: number, dtype: DType): string {
  const round = roundings[dtype];
  if (Object.is(value, -0)) return '-0';
  if (!round || !Number.isFinite(value)) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (round(short) === round(value)) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function attributeText(value: Exclude<Attribute, Block>): string {
  if (typeof value === 'object' && 'float' in value) return numberText(value.float, 'float32');
  if (typeof value === 'object' && 'data' in value) return typeText(value);
  return typeof value === 'object' ? `[${value.join(', ')}]` : String(value);
}
