/** A file as `torch.save` writes a state dictionary: a zip archive, nothing compressed, of a pickle and the bytes of each tensor. */
import { type TensorData, tensorBytes } from '@gvu/onnx';

/** Of float32 tensors. */
export function torchFile(tensors: ReadonlyMap<string, TensorData>): Buffer {
  const files = [...tensors.values()].map(
    (tensor, i) => [`archive/data/${i}`, Buffer.from(tensorBytes(tensor))] as const,
  );
  return zip([['archive/data.pkl', pickle(tensors)], ['archive/version', Buffer.from('3\n')], ...files]);
}

/** Opcodes of protocol 2, as pickletools names them in the comments. */
function pickle(tensors: ReadonlyMap<string, TensorData>): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from('X'), uint32(bytes.length), bytes]); // BINUNICODE
  };
  const number = (value: number) => Buffer.concat([Buffer.from('J'), uint32(value)]); // BININT
  const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]); // MARK, TUPLE
  const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`); // GLOBAL
  const reduce = Buffer.from('R');
  const items = [...tensors].flatMap(([name, { shape }], i) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
    const storage = tuple(text('storage'), global('torch', 'FloatStorage'), text(String(i)), text('cpu'), number(size));
    const empty = Buffer.concat([global('collections', 'OrderedDict'), Buffer.from(')'), reduce]);
    const parts = tuple(
      Buffer.concat([storage, Buffer.from('Q')]), // BINPERSID
      number(0),
      tuple(...shape.map(number)),
      tuple(...strides.map(number)),
      Buffer.of(0x89), // NEWFALSE
      empty,
    );
    return [text(name), global('torch._utils', '_rebuild_tensor_v2'), parts, reduce];
  });
  return Buffer.concat([Buffer.of(0x80, 2), Buffer.from('}('), ...items, Buffer.from('u.')]); // PROTO … SETITEMS, STOP
}

function zip(files: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    // Version, flags, method, time, date, checksum, sizes, lengths of the name and of what else there is.
    const common = [uint16(20), uint16(0), uint16(0), uint16(0), uint16(0), uint32(0), uint32(bytes.length)];
    const rest = [uint32(bytes.length), uint16(name.length), uint16(0)];
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), ...common, ...rest, Buffer.from(name), bytes]);
    const places = [uint16(0), uint16(0), uint16(0), uint32(0), uint32(offset)];
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02'), uint16(20), ...common, ...rest, ...places, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const listed = Buffer.concat(directory);
  const count = uint16(files.length);
  const end = [Buffer.from('PK\x05\x06'), uint32(0), count, count, uint32(listed.length), uint32(offset), uint16(0)];
  return Buffer.concat([...parts, listed, ...end]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
