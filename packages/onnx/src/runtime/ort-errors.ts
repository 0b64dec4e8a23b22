/**
 * Messages of ONNX Runtime as errors with codes. It names the node at fault in several ways, and for a node in the body of
 * a `Loop` or `If` the nodes around it first; the names are the scoped names that the graph gave its nodes.
 */
import { onnxErrors } from '../errors.ts';
import { WorkerFailure } from './worker-client.ts';

export interface NodeReference {
  readonly op: string | undefined;
  readonly name: string;
}

const nodePatterns = [
  // Non-zero status code returned while running Add node. Name:'layers.3/add' Status Message: ...
  /running (?<op>\w+) node\. Name:'(?<name>[^']*)'/g,
  // This is an invalid model. In Node, ("layers.3/add", Add, "", -1) : ...
  /In Node, \("(?<name>[^"]*)", (?<op>\w+)/g,
  // Node (layers.3/add) Op (Add) [ShapeInferenceError] ...
  /Node \((?<name>[^)]*)\) Op \((?<op>\w+)\)/g,
  // Type Error: Type (tensor(int64)) of output arg (y) of node (layers.3/add) does not match ...
  /of node \((?<name>[^)]*)\)/g,
  // Could not find an implementation for Add(14) node with name 'layers.3/add'
  /implementation for (?<op>\w+)\(\d+\) node with name '(?<name>[^']*)'/g,
];

/** A message of ONNX Runtime as the end of a sentence that another one can follow. */
export function asSentence(message: string): string {
  const trimmed = message.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** The nodes that a message of ONNX Runtime names, the outermost first. */
export function nodesIn(message: string): NodeReference[] {
  return nodePatterns.flatMap((pattern) =>
    Array.from(message.matchAll(pattern), ({ groups }) => ({ op: groups?.op, name: groups?.name ?? '' })),
  );
}

const hints = {
  GVU_RUNTIME_LOAD: 'Check the graph that made the model, and that its weight files are in place.',
  GVU_RUNTIME_RUN: 'Look the node up in the printed graph.',
};

/**
 * For `catch`: a failure of the worker becomes an error with `code`, whose message says what failed, at which node, and then
 * what ONNX Runtime said. Every other error passes.
 */
export function withCode(code: keyof typeof hints, { what }: { what: string }): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof WorkerFailure)) throw error;
    const { message } = error;
    const nodes = nodesIn(message);
    const node = nodes.at(-1);
    const place = node ? ` at ${node.op ?? 'node'} '${node.name}'` : '';
    const hint = message.startsWith('Unsupported data type: 16') ? bfloat16Hint : hints[code];
    throw onnxErrors.error(code, `${what}${place}: ${asSentence(message)}`, {
      hint,
      details: { nodes, ortMessage: message },
    });
  };
}

const bfloat16Hint =
  'onnxruntime-node passes no bfloat16 in or out: let the model take and give uint16, with a BitCast (opset 26) inside.';
