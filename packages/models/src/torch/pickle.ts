/**
 * Reads the pickles in which PyTorch keeps tensors, without being a pickle machine: a pickle is a program that may import and call
 * anything, this reader knows only what a state dictionary needs. Imports are names in a short list, a call is one of three
 * (rebuild a tensor, rebuild a parameter, make an empty OrderedDict), and its result is plain data. Whatever else a pickle asks for
 * is refused by name. Nothing from the file is ever run.
 *
 * Sources: Lib/pickletools.py of CPython 3.13 for the opcodes, torch/_utils.py and torch/serialization.py for the calls.
 */
import { modelErrors } from '../errors.ts';

export interface PickledTensor {
  readonly kind: 'tensor';
  readonly storage: PickledStorage;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

interface PickledStorage {
  readonly kind: 'storage';
  readonly type: string;
  /** The name of its file in the archive. */
  readonly key: string;
  /** In elements. */
  readonly length: number;
}

interface PickledGlobal {
  readonly kind: 'global';
  readonly name: string;
}

interface PickledTuple {
  readonly kind: 'tuple';
  readonly items: readonly PickledValue[];
}

export type PickledValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickledTensor
  | PickledStorage
  | PickledGlobal
  | PickledTuple
  | PickledValue[]
  | Map<string | number, PickledValue>;

const rebuildTensor = 'torch._utils._rebuild_tensor_v2';
const rebuildParameter = 'torch._utils._rebuild_parameter';
const orderedDict = 'collections.OrderedDict';

/** What a pickle may name. */
const globals: ReadonlySet<string> = new Set([
  rebuildTensor,
  rebuildParameter,
  orderedDict,
  ...['Float', 'Double', 'Half', 'BFloat16', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map(
    (type) => `torch.${type}Storage`,
  ),
]);

const MARK: unique symbol = Symbol('mark');
type StackItem = PickledValue | typeof MARK;

/** A step makes one value at most, which bounds the memory that a few bytes can ask for. */
const MAX_STEPS = 2 ** 21;

/** The value of a pickle. Throws GVU_TORCH_PICKLE; `source` is how errors name it. */
export function readPickle(bytes: Buffer, source: string): PickledValue {
  return new PickleReader(bytes, source).read();
}

class PickleReader {
  readonly #bytes: Buffer;
  readonly #source: string;
  readonly #stack: StackItem[] = [];
  readonly #memo = new Map<number, PickledValue>();
  #at = 0;

  constructor(bytes: Buffer, source: string) {
    this.#bytes = bytes;
    this.#source = source;
  }

  read(): PickledValue {
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const opcode = this.#unsigned(1);
      if (opcode === 0x2e) return this.#pop(); // STOP
      const value = this.#value(opcode);
      if (value === undefined) this.#act(opcode);
      else this.#stack.push(value);
    }
    throw this.#fault(`it takes more than ${MAX_STEPS} steps`);
  }

  /** What an operation that makes a value pushes; undefined for others. */
  #value(opcode: number): PickledValue | undefined {
    switch (opcode) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.#take(4).readInt32LE();
      case 0x4b: // BININT1
        return this.#unsigned(1);
      case 0x4d: // BININT2
        return this.#unsigned(2);
      case 0x8a: // LONG1
        return this.#long(this.#unsigned(1));
      case 0x47: // BINFLOAT
        return this.#take(8).readDoubleBE();
      case 0x58: // BINUNICODE
        return this.#text(this.#unsigned(4));
      case 0x8c: // SHORT_BINUNICODE
        return this.#text(this.#unsigned(1));
      case 0x5d: // EMPTY_LIST
        return [];
      case 0x29: // EMPTY_TUPLE
        return tuple([]);
      case 0x7d: // EMPTY_DICT
        return new Map();
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return tuple(Array.from({ length: opcode - 0x84 }, () => this.#pop()).reverse());
      case 0x74: // TUPLE
        return tuple(this.#popToMark());
      case 0x68: // BINGET
        return this.#recall(this.#unsigned(1));
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#unsigned(4));
      case 0x63: // GLOBAL
        return this.#global(`${this.#line()}.${this.#line()}`);
      case 0x93: {
        // STACK_GLOBAL
        const [name, module] = [this.#pop(), this.#pop()];
        if (typeof name !== 'string' || typeof module !== 'string') throw this.#fault('it imports what is no name');
        return this.#global(`${module}.${name}`);
      }
      case 0x52: {
        // REDUCE
        const [args, callee] = [this.#pop(), this.#pop()];
        return this.#call(callee, args);
      }
      case 0x51: // BINPERSID
        return this.#storage(this.#pop());
      default:
        return undefined;
    }
  }

  /** An operation that changes the stack or what is on it. */
  #act(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.#unsigned(1) > 5) throw this.#fault('it is of an unknown protocol');
        break;
      case 0x95: // FRAME
        this.#take(8);
        break;
      case 0x28: // MARK
        this.#stack.push(MARK);
        break;
      case 0x30: // POP
        if (this.#stack.pop() === undefined) throw this.#fault('its stack is empty');
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x73: // SETITEM
        this.#set([this.#pop(), this.#pop()].reverse());
        break;
      case 0x75: // SETITEMS
        this.#set(this.#popToMark());
        break;
      case 0x71: // BINPUT
        this.#remember(this.#unsigned(1));
        break;
      case 0x72: // LONG_BINPUT
        this.#remember(this.#unsigned(4));
        break;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        break;
      case 0x62: // BUILD: attributes of an OrderedDict, such as `_metadata` of a module's state, which hold no tensors
        this.#pop();
        if (!(this.#stack.at(-1) instanceof Map)) throw this.#fault('it sets attributes of what is no dictionary');
        break;
      default:
        throw this.#fault(`it uses the operation 0x${opcode.toString(16)}, which no tensor needs`);
    }
  }

  #call(callee: PickledValue, args: PickledValue): PickledValue {
    if (!isKind(callee, 'global')) throw this.#fault('it calls what it did not import');
    if (!isKind(args, 'tuple')) throw this.#fault(`it calls ${callee.name} without a tuple of arguments`);
    const [first, second, third, fourth] = args.items;
    if (callee.name === orderedDict && args.items.length === 0) return new Map();
    if (callee.name === rebuildParameter && isKind(first, 'tensor')) return first;
    if (callee.name === rebuildTensor && isKind(first, 'storage') && typeof second === 'number') {
      const [shape, strides] = [this.#sizes(third), this.#sizes(fourth)];
      if (shape.length === strides.length) return { kind: 'tensor', storage: first, offset: second, shape, strides };
    }
    throw this.#fault(`it calls ${callee.name} with arguments that make no tensor`);
  }

  #storage(id: PickledValue): PickledStorage {
    const items = isKind(id, 'tuple') ? id.items : [];
    const [what, type, key, , length] = items;
    if (what !== 'storage' || !isKind(type, 'global') || !type.name.endsWith('Storage'))
      throw this.#fault('it refers to something that is no storage');
    if (typeof key !== 'string' || typeof length !== 'number' || length < 0)
      throw this.#fault('it refers to a storage without a name or a length');
    return { kind: 'storage', type: type.name, key, length };
  }

  #sizes(value: PickledValue | undefined): readonly number[] {
    const items = isKind(value, 'tuple') ? value.items : undefined;
    if (items?.every((item) => typeof item === 'number' && Number.isSafeInteger(item) && item >= 0))
      return items.map(Number);
    throw this.#fault('a tensor has a shape or strides that are no whole numbers');
  }

  #global(name: string): PickledGlobal {
    if (globals.has(name)) return { kind: 'global', name };
    throw this.#fault(`it imports ${JSON.stringify(name.slice(0, 200))}, which is no part of a tensor`);
  }

  #append(items: readonly PickledValue[]): void {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) throw this.#fault('it appends to what is no list');
    for (const item of items) list.push(item);
  }

  #set(items: readonly PickledValue[]): void {
    const dictionary = this.#stack.at(-1);
    if (!(dictionary instanceof Map) || items.length % 2 > 0)
      throw this.#fault('it sets items of what is no dictionary');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string' && typeof key !== 'number') throw this.#fault('a key is neither text nor a number');
      dictionary.set(key, items[i + 1] ?? null);
    }
  }

  #remember(index: number): void {
    const top = this.#stack.at(-1);
    if (top === undefined || top === MARK) throw this.#fault('it remembers nothing');
    this.#memo.set(index, top);
  }

  #recall(index: number): PickledValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#fault(`it recalls ${index}, which it never remembered`);
    return value;
  }

  #pop(): PickledValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#fault('its stack is empty');
    return value;
  }

  #popToMark(): PickledValue[] {
    const from = this.#stack.lastIndexOf(MARK);
    if (from < 0) throw this.#fault('a mark is missing');
    const items = this.#stack.splice(from).slice(1);
    return items.filter((item) => item !== MARK);
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#fault('it is cut off');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #text(length: number): string {
    return this.#take(length).toString('utf8');
  }

  #unsigned(length: 1 | 2 | 4): number {
    return this.#take(length).readUIntLE(0, length);
  }

  /** A little-endian integer of so many bytes; a number where it is one exactly. */
  #long(length: number): number | bigint {
    let value = 0n;
    for (const byte of this.#take(length).toReversed()) value = value * 256n + BigInt(byte);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw this.#fault('it is cut off');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  #fault(why: string): Error {
    return pickleFault(this.#source, why);
  }
}

export function pickleFault(source: string, why: string): Error {
  return modelErrors.error('GVU_TORCH_PICKLE', `'${source}' cannot be read as tensors: ${why}.`, {
    hint: 'If you trust it, convert it to safetensors with PyTorch.',
    details: { file: source },
  });
}

function tuple(items: readonly PickledValue[]): PickledTuple {
  return { kind: 'tuple', items };
}

type Kinds = { tensor: PickledTensor; storage: PickledStorage; global: PickledGlobal; tuple: PickledTuple };

export function isKind<K extends keyof Kinds>(value: PickledValue | undefined, kind: K): value is Kinds[K] {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}
