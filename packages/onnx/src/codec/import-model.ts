/**
 * ONNX model -> nodes of a graph. The model's operators become those of our table, with concrete shapes (those of the
 * tensors given as inputs), so that an imported model can be differentiated, adapted and compiled like any other graph.
 * Which operators, in which forms, is the table in `import/rules.ts`; which files, `import/files.ts`.
 */
import type { GraphProto, NodeProto, TensorProto } from 'onnx-buf';
import { isFloat } from '../dtype.ts';
import { onnxErrors } from '../errors.ts';
import { constantData, type Graph, type Tensor, weight } from '../graph/graph.ts';
import { dtypeOf } from './element-types.ts';
import { type ExternalFiles, resolveExternalFiles } from './import/files.ts';
import { checkInputs } from './import/inputs.ts';
import { ImportNode } from './import/node.ts';
import { importRule } from './import/rules.ts';
import { type ParsedModel, parseModel } from './parse.ts';
import { countOperators } from './read-model.ts';
import { storedTensor } from './tensor-proto.ts';

/** The oldest operator set that real exporters still wrote. Its operators broadcast only when they say so, which no rule reads. */
const OLDEST_OPSET = 6;

export interface ImportOptions {
  /** The tensor for each of the model's inputs, by name. Their shapes make the model's concrete. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** The directory of the model's weight files, if it has any. Nothing outside it is read. */
  readonly folder?: string;
}

/**
 * Appends a model to the block being built and gives its outputs by name. Names of nodes and weights are those of the model,
 * below the current scope. Throws GVU_MODEL_BROKEN, _UNSUPPORTED (naming every operator that is unknown), _INPUTS or _FILES,
 * or what the operators throw; when it throws, what it has appended so far stays in the graph, unused.
 */
export function importModel(graph: Graph, bytes: Uint8Array, options: ImportOptions): Readonly<Record<string, Tensor>> {
  const model = parseModel(bytes);
  checkOperators(model);
  checkInputs(model.graph, options.inputs);
  const files = resolveExternalFiles(model.graph, options.folder);
  return appendModel(graph, model, { inputs: options.inputs, files });
}

function checkOperators({ graph, opsets }: ParsedModel): void {
  const opset = opsets.get('') ?? OLDEST_OPSET;
  const unknown = countOperators(graph).filter(({ domain, op }) => !importRule(domain, op));
  if (unknown.length === 0 && opset >= OLDEST_OPSET) return;
  const list = unknown.map(({ domain, op, count }) => `${domain && `${domain}::`}${op} (${count})`);
  const age = opset < OLDEST_OPSET ? [`Operator set ${opset} is older than ${OLDEST_OPSET}.`] : [];
  if (list.length > 0) age.push(`It uses operators that cannot be imported: ${list.join(', ')}.`);
  throw onnxErrors.error('GVU_MODEL_UNSUPPORTED', age.join(' '), {
    hint: 'Export the model with standard operators of a newer operator set.',
    details: { operators: unknown, opset },
  });
}

/** Values by name in a graph of the model; bodies see those of the graphs around them. */
interface Scope {
  readonly values: Map<string, Tensor>;
  readonly stored: ReadonlyMap<string, TensorProto>;
  readonly outer: Scope | undefined;
}

function appendModel(
  graph: Graph,
  model: ParsedModel,
  { inputs, files }: { inputs: ImportOptions['inputs']; files: ExternalFiles },
): Readonly<Record<string, Tensor>> {
  const opset = model.opsets.get('') ?? OLDEST_OPSET;

  const appendGraph = (
    proto: GraphProto,
    given: Iterable<readonly [string, Tensor]>,
    outer?: Scope,
  ): readonly Tensor[] => {
    const stored = new Map(proto.initializer.map((tensor) => [tensor.name, tensor]));
    const scope: Scope = { values: new Map(given), stored, outer };
    // Weights come in the order of the model; constants when they are used.
    for (const tensor of proto.initializer)
      if (!scope.values.has(tensor.name) && isWeight(tensor)) scope.values.set(tensor.name, append(tensor));
    const results = new Set(outer ? proto.output.map(({ name }) => name) : []);
    for (const node of proto.node) appendNode(node, scope, results);
    return proto.output.map(({ name }) => find(scope, name) ?? missing(`Output '${name}'`));
  };

  const appendNode = (proto: NodeProto, scope: Scope, results: ReadonlySet<string>): void => {
    const read = proto.input.slice(0, proto.input.findLastIndex((name) => name !== '') + 1);
    const node = new ImportNode(proto, {
      graph,
      opset,
      inputs: read.map((name) =>
        name === '' ? undefined : (find(scope, name) ?? missing(`'${name}', an operand of '${proto.name}',`)),
      ),
      isResult: results.has(proto.output[0] ?? ''),
      importBody: (body, given) => {
        if (given.length < body.input.length) return node.refuse('its body takes more than it is given');
        return appendGraph(
          body,
          body.input.flatMap(({ name }, i) => (given[i] ? [[name, given[i]] as const] : [])),
          scope,
        );
      },
    });
    // That there is a rule for each operator was checked before anything was appended.
    const outputs = importRule(proto.domain === 'ai.onnx' ? '' : proto.domain, proto.opType)?.(node) ?? [];
    const [unread] = node.unreadAttributes;
    if (unread !== undefined) node.refuse(`attribute '${unread}' is not supported`);
    for (const [i, name] of proto.output.entries()) {
      if (name === '') continue;
      if (scope.values.has(name)) throw broken(`'${name}' is computed twice.`);
      scope.values.set(name, outputs[i] ?? node.refuse(`its output ${i} is not supported`));
    }
  };

  const append = (proto: TensorProto): Tensor => {
    const stored = storedTensor(proto);
    const name = `${graph.cursor.scope}${proto.name}`;
    if (stored.kind === 'values')
      return isWeight(proto) ? weight(graph, name, stored.data) : constantData(graph, stored.data, { name });
    const { dtype, shape, location, offset, length } = stored;
    return weight(graph, name, { dtype, shape, file: files.get(location) ?? location, offset, length });
  };

  const find = (scope: Scope, name: string): Tensor | undefined => {
    const value = scope.values.get(name);
    const stored = value ? undefined : scope.stored.get(name);
    if (!stored) return value ?? (scope.outer && find(scope.outer, name));
    const tensor = append(stored);
    scope.values.set(name, tensor);
    return tensor;
  };

  const given = model.graph.input.flatMap(({ name }) =>
    Object.hasOwn(inputs, name) && inputs[name] ? [[name, inputs[name]] as const] : [],
  );
  const outputs = appendGraph(model.graph, given);
  return Object.fromEntries(model.graph.output.map(({ name }, i) => [name, outputs[i] ?? missing(`Output '${name}'`)]));
}

/** Floating-point tensors with an axis are weights, with a name of their own; lists of integers, scalars and our own constants are not. */
function isWeight(proto: TensorProto): boolean {
  const dtype = dtypeOf(proto.dataType);
  return (
    proto.externalData.length > 0 ||
    (dtype !== undefined && isFloat(dtype) && proto.dims.length > 0 && !proto.name.startsWith('constant/'))
  );
}

function missing(what: string): never {
  throw broken(`${what} is computed by nothing.`);
}

function broken(problem: string): Error {
  return onnxErrors.error('GVU_MODEL_BROKEN', `This is no sound ONNX model. ${problem}`, {
    hint: 'Check that the file is complete and of the ONNX format.',
    details: { problems: [problem] },
  });
}
