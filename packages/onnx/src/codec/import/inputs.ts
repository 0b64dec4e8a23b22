/** Checks the tensors that a model is to be built upon against the inputs that it declares. */
import type { GraphProto } from 'onnx-buf';
import { onnxErrors } from '../../errors.ts';
import { DYNAMIC, type Tensor } from '../../graph/graph.ts';
import { typeText } from '../../graph/specs/spec.ts';
import { type DescribedValue, describeValue } from '../read-model.ts';

/** Throws GVU_MODEL_INPUTS with every input that is missing, unknown, or of another type than declared. */
export function checkInputs(graph: GraphProto, given: Readonly<Record<string, Tensor>>): void {
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const declared = new Map(graph.input.map((value) => [value.name, describeValue(value)]));
  const problems: string[] = [];
  const lengths = new Map<string, number>();
  for (const [name, value] of declared) {
    const tensor = Object.hasOwn(given, name) ? given[name] : undefined;
    if (tensor) problems.push(...typeProblems(value, tensor, lengths));
    else if (!stored.has(name)) problems.push(`'${name}' (${valueText(value)}) is missing.`);
  }
  for (const name of Object.keys(given)) if (!declared.has(name)) problems.push(`'${name}' is no input of the model.`);
  if (problems.length === 0) return;
  const all = [...declared.values()].filter(({ name }) => !stored.has(name));
  throw onnxErrors.error('GVU_MODEL_INPUTS', `The inputs do not fit the model. ${problems.join(' ')}`, {
    hint: `It takes ${all.map((value) => `'${value.name}' (${valueText(value)})`).join(', ') || 'none'}.`,
    details: { problems },
  });
}

/** `lengths` gathers what the symbolic lengths seen so far stand for: one name, one length. */
function typeProblems(value: DescribedValue, tensor: Tensor, lengths: Map<string, number>): readonly string[] {
  const { name, type, shape } = value;
  const mismatch = `'${name}' is declared as ${valueText(value)}, given as ${typeText(tensor)}.`;
  if (type !== tensor.dtype || (shape && shape.length !== tensor.shape.length)) return [mismatch];
  return (shape ?? []).flatMap((dim, axis) => {
    const length = tensor.shape[axis] ?? DYNAMIC;
    if (length === DYNAMIC || dim === '?') return [];
    if (typeof dim === 'number') return dim === length ? [] : [mismatch];
    const known = lengths.get(dim) ?? length;
    lengths.set(dim, known);
    return known === length ? [] : [`'${name}' makes '${dim}' ${length}, another input ${known}.`];
  });
}

function valueText({ type, shape }: DescribedValue): string {
  return shape ? `${type}[${shape.join(', ')}]` : type;
}
