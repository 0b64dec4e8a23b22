/** Import rules of the operators that move elements, in the forms of every operator set from 7 on. */
import { constant, constantData, DYNAMIC } from '../../graph/graph.ts';
import { broadcastShapes } from '../../graph/specs/spec.ts';
import { add, less, mul, where } from '../../ops/arithmetic.ts';
import { sum } from '../../ops/linear.ts';
import { gather, reshape, tile, transpose } from '../../ops/movement.ts';
import { sizeOf, tensorData } from '../../tensor-data.ts';
import type { ImportNode, ImportRule } from './node.ts';

/** A list that is an attribute in older operator sets and an operand in newer ones. */
function listed(node: ImportNode, attribute: string, operand: number): readonly number[] | undefined {
  return node.ints(attribute) ?? node.knownValues(operand);
}

/** A shape as ONNX writes it: 0 takes the dimension of x, one -1 whatever is left. */
const reshapeRule: ImportRule = (node) => {
  const x = node.operand(0);
  const asked = listed(node, 'shape', 1) ?? node.refuse('it has no shape');
  const zeroStays = node.flag('allowzero', 0) === 1;
  const target = asked.map((dim, i) => (dim === 0 && !zeroStays ? (x.shape[i] ?? 0) : dim));
  const open = target.indexOf(-1);
  if (open < 0 || x.shape.includes(DYNAMIC)) return node.reshape(x, target);
  const rest = sizeOf(target.toSpliced(open, 1));
  return node.reshape(x, target.with(open, rest === 0 ? 0 : sizeOf(x.shape) / rest));
};

const flattenRule: ImportRule = (node) => {
  const shape = node.knownShape(node.operand(0));
  const axis = node.int('axis', 1);
  const cut = axis < 0 ? axis + shape.length : axis;
  return node.reshape(node.operand(0), [sizeOf(shape.slice(0, cut)), sizeOf(shape.slice(cut))]);
};

const squeezeRule: ImportRule = (node) => {
  const { shape } = node.operand(0);
  const axes = listed(node, 'axes', 1)?.map((axis) => node.axis(axis, shape.length));
  const gone = axes ?? [...shape.keys()].filter((axis) => shape[axis] === 1);
  if (gone.some((axis) => shape[axis] !== 1)) node.refuse('an axis to squeeze is not of length 1');
  return node.reshape(
    node.operand(0),
    shape.filter((_, axis) => !gone.includes(axis)),
  );
};

const unsqueezeRule: ImportRule = (node) => {
  const { shape } = node.operand(0);
  const axes = listed(node, 'axes', 1) ?? node.refuse('it has no axes');
  const rank = shape.length + axes.length;
  const added = axes.map((axis) => node.axis(axis, rank));
  const rest = [...shape];
  return node.reshape(
    node.operand(0),
    Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : (rest.shift() ?? 1))),
  );
};

const expandRule: ImportRule = (node) => {
  const x = node.operand(0);
  const asked = node.knownValues(1) ?? node.refuse('it has no shape');
  const target = broadcastShapes(x.shape, asked) ?? node.refuse(`it does not expand to [${asked.join(', ')}]`);
  if (target.length === x.shape.length && target.every((dim, i) => dim === x.shape[i])) return [x];
  return node.emit('Expand', [x, node.list(target)], {});
};

/** ONNX clamps what lies outside; here bounds are inside, and axes that are taken whole are not mentioned. */
const sliceRule: ImportRule = (node) => {
  const x = node.operand(0);
  const starts = listed(node, 'starts', 1) ?? node.refuse('it has no starts');
  const ends = listed(node, 'ends', 2) ?? node.refuse('it has no ends');
  const axes = (listed(node, 'axes', 3) ?? [...starts.keys()]).map((axis) => node.axis(axis, x.shape.length));
  const steps = node.knownValues(4) ?? starts.map(() => 1);
  const ranges = axes.flatMap((axis, i) => {
    const [dim = 0, step = 1, first = 0, last = 0] = [x.shape[axis], steps[i], starts[i], ends[i]];
    if (dim === DYNAMIC && first === 0 && last >= 2 ** 31 - 1 && step === 1) return [];
    if (dim === DYNAMIC) return node.refuse(`axis ${axis} changes from run to run`);
    const [least, most] = step > 0 ? [0, dim] : [-1, dim - 1];
    const bound = (value: number) => Math.min(Math.max(value < 0 ? value + dim : value, least), most);
    const [start, end] = [Math.max(bound(first), 0), bound(last)];
    if (start === 0 && end === dim && step === 1) return [];
    return [{ start, end: end < 0 ? -(2 ** 31) : end, axis, step }];
  });
  if (ranges.length === 0) return [x];
  const operands = (['start', 'end', 'axis', 'step'] as const).map((key) =>
    node.list(ranges.map((range) => range[key])),
  );
  return node.emit('Slice', [x, ...operands], {});
};

const splitRule: ImportRule = (node) => {
  const x = node.operand(0);
  const axis = node.axis(node.int('axis', 0), x.shape.length);
  const parts = node.int('num_outputs', node.outputCount);
  if (parts !== node.outputCount) node.refuse(`it says to have ${parts} outputs and has ${node.outputCount}`);
  const dim = x.shape[axis] ?? 0;
  const part = Math.ceil(dim / parts);
  const lengths =
    listed(node, 'split', 1) ?? Array.from({ length: parts }, (_, i) => Math.min(part, Math.max(dim - i * part, 0)));
  return node.emit('Split', [x, node.list(lengths)], { axis });
};

const padRule: ImportRule = (node) => {
  const x = node.operand(0);
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge') return node.refuse(`the mode '${mode}' is unknown`);
  const amounts = listed(node, 'pads', 1) ?? node.refuse('it has no pads');
  const axes = node.knownValues(3)?.map((axis) => node.axis(axis, x.shape.length)) ?? [...x.shape.keys()];
  const placed = [0, axes.length].flatMap((half) =>
    x.shape.map((_, axis) => (axes.includes(axis) ? (amounts[half + axes.indexOf(axis)] ?? 0) : 0)),
  );
  const given = node.inputs[2];
  const value = given ?? constant(node.graph, x.dtype, [], [node.opset < 11 ? node.float('value', 0) : 0]);
  if (placed.every((amount) => amount === 0)) return [x];
  return node.emit('Pad', [x, node.list(placed), node.reshaped(value, [])], { mode });
};

/** Index tuples become flat indices into the leading axes. */
const gatherNDRule: ImportRule = (node) => {
  const [x, indices] = [node.operand(0), node.operand(1)];
  if (node.int('batch_dims', 0) !== 0) node.refuse('batch dimensions are not supported');
  const shape = node.knownShape(x);
  const depth = indices.shape.at(-1) ?? 0;
  const lead = shape.slice(0, depth);
  return node.compose(() => {
    const strides = lead.map((_, i) => sizeOf(lead.slice(i + 1)));
    const { graph } = node;
    const positive = where(less(indices, 0), add(indices, constant(graph, 'int64', [depth], lead)), indices);
    const flat = sum(mul(positive, constant(graph, 'int64', [depth], strides)), [indices.shape.length - 1]);
    return gather(reshape(x, [sizeOf(lead), ...shape.slice(depth)]), flat);
  });
};

const scatterElementsRule: ImportRule = (node) => {
  const reduction = node.string('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') return node.refuse(`the reduction '${reduction}' is not supported`);
  const [x, indices, updates] = [node.operand(0), node.operand(1), node.operand(2)];
  return node.emit('ScatterElements', [x, indices, updates], { axis: node.int('axis', 0), reduction });
};

const scatterNDRule: ImportRule = (node) => {
  if (node.string('reduction', 'none') !== 'none') node.refuse('reductions are not supported');
  return node.emit('ScatterND', [node.operand(0), node.operand(1), node.operand(2)], { reduction: 'none' });
};

const oneHotRule: ImportRule = (node) => {
  const [depth] = node.knownValues(1) ?? [];
  const indices = node.operand(0);
  const axis = node.int('axis', -1);
  if (depth === undefined || (axis !== -1 && axis !== indices.shape.length))
    return node.refuse('the depth must be known and the axis the last');
  return node.emit('OneHot', [indices, node.list([depth]), node.operand(2)], { axis: -1 });
};

/** [N, C, H, W]: blocks of channels become blocks of pixels (mode DCR: block first, CRD: channel first). */
const depthToSpaceRule: ImportRule = (node) => {
  const [batch = 0, channels = 0, height = 0, width = 0] = node.knownShape(node.operand(0));
  const block = node.int('blocksize', 1);
  const depth = channels / block ** 2;
  const blockFirst = node.string('mode', 'DCR') === 'DCR';
  return node.compose(() => {
    const split = blockFirst ? [block, block, depth] : [depth, block, block];
    const parts = reshape(node.operand(0), [batch, ...split, height, width]);
    const moved = transpose(parts, blockFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
    return reshape(moved, [batch, depth, height * block, width * block]);
  });
};

const spaceToDepthRule: ImportRule = (node) => {
  const [batch = 0, channels = 0, height = 0, width = 0] = node.knownShape(node.operand(0));
  const block = node.int('blocksize', 1);
  return node.compose(() => {
    const parts = reshape(node.operand(0), [batch, channels, height / block, block, width / block, block]);
    const moved = transpose(parts, [0, 3, 5, 1, 2, 4]);
    return reshape(moved, [batch, channels * block ** 2, height / block, width / block]);
  });
};

/** Keeps one triangle of the last two axes. */
const triluRule: ImportRule = (node) => {
  const x = node.operand(0);
  const [diagonal = 0] = node.knownValues(1) ?? [];
  const [rows = 0, columns = 0] = node.knownShape(x).slice(-2);
  node.requireModest(rows * columns);
  const upper = node.flag('upper', 1) === 1;
  const kept = Array.from({ length: rows * columns }, (_, i) => {
    const offset = (i % columns) - Math.floor(i / columns) - diagonal;
    return upper ? offset >= 0 : offset <= 0;
  });
  const zero = constant(node.graph, x.dtype, [], [0]);
  return node.emit('Where', [constant(node.graph, 'bool', [rows, columns], kept), x, zero], {});
};

const shapeRule: ImportRule = (node) => {
  const { shape } = node.operand(0);
  const taken = shape.slice(node.int('start', 0), node.int('end', shape.length));
  return [node.list(taken.includes(DYNAMIC) ? node.knownShape(node.operand(0)) : taken)];
};

/** A value of any of the kinds that the attributes allow. */
const constantRule: ImportRule = (node) => {
  const { graph } = node;
  const value = node.tensor('value');
  const [floats, ints] = [node.floats('value_floats'), node.bigints('value_ints')];
  const [float, int] = [node.optionalFloat('value_float'), node.bigints('value_int')];
  if (value) return [constantData(graph, value)];
  if (floats) return [constant(graph, 'float32', [floats.length], floats)];
  if (ints) return [constant(graph, 'int64', [ints.length], ints)];
  if (float !== undefined) return [constant(graph, 'float32', [], [float])];
  return int ? [constant(graph, 'int64', [], int)] : node.refuse('its value is of no known kind');
};

const constantOfShapeRule: ImportRule = (node) => {
  const shape = node.knownValues(0) ?? node.refuse('it has no shape');
  const { graph } = node;
  const value = node.tensor('value') ?? tensorData('float32', [1], [0]);
  const scalar = constantData(graph, { ...value, shape: [] });
  return node.emit('Expand', [scalar, node.list(shape)], {});
};

const rangeRule: ImportRule = (node) => {
  const [start, limit, delta] = [0, 1, 2].map(
    (i) => node.knownValues(i)?.[0] ?? node.refuse(`operand ${i} is missing`),
  );
  if (start === undefined || limit === undefined || !delta) return node.refuse('its step is zero');
  const length = Math.max(Math.ceil((limit - start) / delta), 0);
  node.requireModest(length);
  const values = Array.from({ length }, (_, i) => start + i * delta);
  return [constant(node.graph, node.operand(0).dtype, [length], values)];
};

export const movementImports: Readonly<Record<string, ImportRule>> = {
  Reshape: reshapeRule,
  Flatten: flattenRule,
  Squeeze: squeezeRule,
  Unsqueeze: unsqueezeRule,
  Transpose: (node) => {
    const perm = node.ints('perm') ?? [...node.operand(0).shape.keys()].reverse();
    return node.emit('Transpose', [node.operand(0)], { perm });
  },
  Expand: expandRule,
  Tile: (node) => {
    const repeats = node.knownValues(1) ?? node.refuse('it has no repeats');
    node.knownShape(node.operand(0));
    return node.compose(() => tile(node.operand(0), repeats));
  },
  Slice: sliceRule,
  Concat: (node) => {
    const axis = node.axis(node.int('axis', 1), node.operand(0).shape.length);
    const parts = node.inputs.map((_, i) => node.operand(i));
    return parts.length === 1 ? parts : node.emit('Concat', parts, { axis });
  },
  Split: splitRule,
  Pad: padRule,
  Gather: (node) => node.emit('Gather', [node.operand(0), node.operand(1)], { axis: gatherAxis(node) }),
  GatherElements: (node) => node.emit('GatherElements', [node.operand(0), node.operand(1)], { axis: gatherAxis(node) }),
  GatherND: gatherNDRule,
  ScatterElements: scatterElementsRule,
  Scatter: scatterElementsRule,
  ScatterND: scatterNDRule,
  OneHot: oneHotRule,
  DepthToSpace: depthToSpaceRule,
  SpaceToDepth: spaceToDepthRule,
  Trilu: triluRule,
  Shape: shapeRule,
  Size: (node) => [constant(node.graph, 'int64', [], [sizeOf(node.knownShape(node.operand(0)))])],
  Constant: constantRule,
  ConstantOfShape: constantOfShapeRule,
  Range: rangeRule,
};

function gatherAxis(node: ImportNode): number {
  return node.axis(node.int('axis', 0), node.operand(0).shape.length);
}
