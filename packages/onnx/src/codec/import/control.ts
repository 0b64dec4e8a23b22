/** Import rules of control flow. A condition that is known picks its branch while the graph is built. */
import type { GraphProto } from 'onnx-buf';
import {
  type Block,
  blockInput,
  blockOutput,
  buildBlock,
  constant,
  DYNAMIC,
  emit,
  type Tensor,
} from '../../graph/graph.ts';
import { constantValues } from '../../graph/specs/spec.ts';
import { shapeOf } from '../read-model.ts';
import type { ImportRule } from './node.ts';

/** Trip count of a loop that only its condition ends. */
const ENDLESS = 2n ** 63n - 1n;

const ifRule: ImportRule = (node) => {
  const condition = node.reshaped(node.operand(0), []);
  const [known] = constantValues(condition) ?? [];
  const [whenTrue, whenFalse] = [node.body('then_branch'), node.body('else_branch')];
  if (known !== undefined) return node.importBody(known ? whenTrue : whenFalse, []);
  const arm = (body: GraphProto, name: string) =>
    buildBlock(node.graph, body.name || name, (block) => {
      for (const [i, tensor] of node.importBody(body, []).entries()) blockOutput(`value_${i}`, ownedBy(block, tensor));
    });
  const attributes = { then_branch: arm(whenTrue, 'then'), else_branch: arm(whenFalse, 'else') };
  return node.emit('If', [condition], attributes);
};

/** Bodies take iteration, condition and carried values; they give condition, carried values and what to keep. */
const loopRule: ImportRule = (node) => {
  const { graph } = node;
  const scalar = (tensor: Tensor | undefined) => tensor && node.reshaped(tensor, []);
  const trips = scalar(node.inputs[0]) ?? constant(graph, 'int64', [], [ENDLESS]);
  const condition = scalar(node.inputs[1]) ?? constant(graph, 'bool', [], [true]);
  const carried = node.inputs.slice(2).map((_, i) => node.operand(i + 2));
  const proto = node.body('body');
  const body = buildBlock(graph, proto.name || 'loop', (block) => {
    const named = (index: number) => (proto.input[index]?.name ?? `value_${index}`).replace(`${proto.name}/`, '');
    const values = [
      blockInput(block, named(0), { dtype: 'int64', shape: [] }),
      blockInput(block, named(1), { dtype: 'bool', shape: [] }),
      ...carried.map(({ dtype, shape }, i) =>
        blockInput(block, named(i + 2), { dtype, shape: steadyShape(shape, proto, i) }),
      ),
    ];
    for (const [i, tensor] of node.importBody(proto, values).entries()) {
      const name = i === 0 ? 'condition' : i <= carried.length ? `carried_${i - 1}` : `kept_${i - 1 - carried.length}`;
      blockOutput(name, ownedBy(block, tensor));
    }
  });
  return node.emit('Loop', [trips, condition, ...carried], { body });
};

/** The shape of a carried value; lengths that the body declares by other names when it gives the value back change. */
function steadyShape(initial: readonly number[], body: GraphProto, carried: number): readonly number[] {
  const before = shapeOf(body.input[carried + 2]?.type);
  const after = shapeOf(body.output[carried + 1]?.type);
  return initial.map((dim, axis) => {
    const [entering, leaving] = [before?.[axis], after?.[axis]];
    return typeof entering === 'string' && leaving !== undefined && entering !== leaving ? DYNAMIC : dim;
  });
}

/** The tensor itself if the block makes it, else a copy: a body cannot give what is not its own. */
function ownedBy(block: Block, tensor: Tensor): Tensor {
  const isOwn = tensor.block === block && tensor.source.kind === 'node';
  return isOwn ? tensor : emit(block.graph, 'Identity', [tensor], { attributes: {} })[0];
}

export const controlImports: Readonly<Record<string, ImportRule>> = { If: ifRule, Loop: loopRule };
