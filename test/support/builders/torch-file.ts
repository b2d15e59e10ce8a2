/** `torch.save` puts every entry's data at a multiple of this. */
const ALIGNMENT = 64;
const FLAGS = 0x0808;
/** In the place of CRC-32: readers compare the copies, but compute none. */
const CHECKSUM = 0x12345678;

/** An archive and where its parts are, for tests that damage it. */
export interface TorchArchive {
  readonly content: Buffer;
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
  /** Offset of the zip64 record of the end; its locator is 56 bytes on, the end itself 76. */
  readonly end: number;
}

export interface ArchiveEntry {
  /** Offset of the local header. */
  readonly local: number;
  readonly data: number;
  readonly bytes: number;
  /** Offset of the header in the central directory. */
  readonly central: number;
}

export interface ArchiveForm {
  /**
   * Flags of all entries; without bit 3 the sizes stand in the headers, and no descriptor follows the data.
   */
  readonly flags?: number;
  /** Whether sizes and offsets stand in zip64 fields, as if the file were larger than 4 GiB. */
  readonly wide?: boolean;
}

/**
 * An archive as PyTorch's writer lays it out: data aligned by an extra field `FB`, sizes in a descriptor
 * behind the data and in the central directory, zip64 records at the end.
 */
export function torchArchive(
  parts: readonly (readonly [name: string, content: Uint8Array])[],
  { flags = FLAGS, wide = false }: ArchiveForm = {},
): TorchArchive {
  const chunks: Uint8Array[] = [];
  const headers: Buffer[] = [];
  const found: Omit<ArchiveEntry, 'central'>[] = [];
  const deferred = (flags & 8) !== 0;
  let at = 0;
  const add = (chunk: Uint8Array) => {
    chunks.push(chunk);
    at += chunk.length;
  };
  for (const [name, content] of parts) {
    const [local, size] = [at, content.length];
    const wideSizes = wide ? fields('2', 1, 16, '8', size, size) : Buffer.alloc(0);
    const bare = at + 30 + name.length + wideSizes.length + 4;
    const padding = Math.ceil(bare / ALIGNMENT) * ALIGNMENT - bare;
    const shown = wide ? 0xffffffff : size;
    const sizes = deferred ? [0, 0, 0] : [CHECKSUM, shown, shown];
    add(
      fields(
        '4',
        LOCAL,
        '2',
        0,
        flags,
        0,
        0,
        0,
        '4',
        ...sizes,
        '2',
        name.length,
        wideSizes.length + padding + 4,
      ),
    );
    add(Buffer.from(name, 'latin1'));
    add(Buffer.concat([wideSizes, fields('2', 0x4246, padding), Buffer.alloc(padding, 'Z')]));
    found.push({ local, data: at, bytes: size });
    add(content);
    if (deferred) add(fields('4', DESCRIPTOR, CHECKSUM, wide ? '8' : '4', size, size));
    const extra = wide ? fields('2', 1, 24, '8', size, size, local) : Buffer.alloc(0);
    const header = [
      fields('4', CENTRAL, '2', 0, 0, flags, 0, 0, 0, '4', CHECKSUM, shown, shown),
      fields('2', name.length, extra.length, 0, 0, 0, '4', 0, wide ? 0xffffffff : local),
    ];
    headers.push(Buffer.concat([...header, Buffer.from(name, 'latin1'), extra]));
  }
  const start = at;
  const entries = new Map<string, ArchiveEntry>();
  for (const [i, [name]] of parts.entries()) {
    entries.set(name, { ...found[i]!, central: at });
    add(headers[i]!);
  }
  const end = at;
  const count = parts.length;
  add(fields('4', 0x06064b50, '8', 44, '2', 0x31e, 45, '4', 0, 0, '8', count, count, end - start, start));
  add(fields('4', 0x07064b50, 0, '8', end, '4', 1));
  const shortCount = wide ? 0xffff : Math.min(count, 0xffff);
  const [bytes, offset] = wide ? [0xffffffff, 0xffffffff] : [end - start, start];
  add(fields('4', 0x06054b50, '2', 0, 0, shortCount, shortCount, '4', bytes, offset, '2', 0));
  return { content: Buffer.concat(chunks), entries, end };
}

const LOCAL = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const CENTRAL = 0x02014b50;

/** Little-endian integers, each as wide as the digit before it says. */
function fields(...values: readonly (number | '2' | '4' | '8')[]): Buffer {
  let width = 0;
  return Buffer.concat(
    values.map((value) => {
      if (typeof value === 'string') {
        width = Number(value);
        return Buffer.alloc(0);
      }
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      return bytes.subarray(0, width);
    }),
  );
}

/** A tensor of a state dict; what is left out is as `torch.save` has it for a tensor of its own storage. */
export interface TorchTensor {
  readonly name: string;
  /** `Float`, `Half`, `BFloat16`, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Key of the storage, the number of the tensor if left out. */
  readonly storage?: string;
  /** Elements of the storage. */
  readonly elements?: number;
  /** First element. */
  readonly offset?: number;
  readonly strides?: readonly number[];
  /** Whether it is a Parameter. */
  readonly parameter?: boolean;
}

/** Opcodes of a pickle in pieces, right or wrong. */
export const pickle = {
  /** Protocol 2 or 4. */
  head: (protocol: number) => bytes(0x80, protocol),
  stop: bytes(0x2e),
  mark: bytes(0x28),
  tuple: bytes(0x74),
  emptyTuple: bytes(0x29),
  emptyDict: bytes(0x7d),
  setItem: bytes(0x73),
  setItems: bytes(0x75),
  reduce: bytes(0x52),
  build: bytes(0x62),
  persistentId: bytes(0x51),
  none: bytes(0x4e),
  no: bytes(0x89),
  put: (key: number) => bytes(0x71, key),
  get: (key: number) => bytes(0x68, key),
  string: (text: string) => join(bytes(0x58), fields('4', Buffer.byteLength(text)), Buffer.from(text)),
  shortString: (text: string) => join(bytes(0x8c, Buffer.byteLength(text)), Buffer.from(text)),
  int: (value: number) => integer(value),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  stackGlobal: (module: string, name: string) =>
    join(pickle.shortString(module), bytes(0x94), pickle.shortString(name), bytes(0x94, 0x93)),
  /** A tuple of any length. */
  tupleOf: (...items: readonly Uint8Array[]) => join(pickle.mark, ...items, pickle.tuple),
} as const;

export function bytes(...values: readonly number[]): Buffer {
  return Buffer.from(values);
}

export function join(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

function integer(value: number): Buffer {
  if (value >= 0 && value < 256) return bytes(0x4b, value);
  if (value >= 0 && value < 65536) return join(bytes(0x4d), fields('2', value));
  const long = Buffer.alloc(8);
  long.writeBigInt64LE(BigInt(value));
  return Number.isSafeInteger(value) && value === (value | 0)
    ? join(bytes(0x4a), long.subarray(0, 4))
    : join(bytes(0x8a, 8), long);
}

/** Opcodes that make the value of a tensor. */
export function tensorOpcodes(tensor: TorchTensor, key: string, protocol: number): Buffer {
  const global = protocol < 4 ? pickle.global : pickle.stackGlobal;
  const string = protocol < 4 ? pickle.string : pickle.shortString;
  const elements = tensor.shape.reduce((product, n) => product * n, 1);
  const strides =
    tensor.strides ?? tensor.shape.map((_, i) => tensor.shape.slice(i + 1).reduce((p, n) => p * n, 1));
  const noHooks = join(global('collections', 'OrderedDict'), pickle.emptyTuple, pickle.reduce);
  const id = pickle.tupleOf(
    string('storage'),
    global('torch', `${tensor.dtype}Storage`),
    string(tensor.storage ?? key),
    string('cpu'),
    pickle.int(tensor.elements ?? elements),
  );
  const view = join(
    global('torch._utils', '_rebuild_tensor_v2'),
    pickle.tupleOf(
      join(id, pickle.persistentId),
      pickle.int(tensor.offset ?? 0),
      pickle.tupleOf(...tensor.shape.map(pickle.int)),
      pickle.tupleOf(...strides.map(pickle.int)),
      pickle.no,
      noHooks,
    ),
    pickle.reduce,
  );
  if (!tensor.parameter) return view;
  const parameter = pickle.tupleOf(view, pickle.no, noHooks);
  return join(global('torch._utils', '_rebuild_parameter'), parameter, pickle.reduce);
}

/** A pickle of an OrderedDict with `_metadata`, as `state_dict()` gives it. */
export function stateDictPickle(tensors: readonly TorchTensor[], protocol = 2): Buffer {
  const global = protocol < 4 ? pickle.global : pickle.stackGlobal;
  const string = protocol < 4 ? pickle.string : pickle.shortString;
  const dict = join(global('collections', 'OrderedDict'), pickle.emptyTuple, pickle.reduce);
  const versions = join(pickle.emptyDict, string('version'), pickle.int(1), pickle.setItem);
  const body = join(
    join(dict, protocol < 4 ? pickle.put(0) : bytes(0x94)),
    pickle.mark,
    ...tensors.map((tensor, i) => join(string(tensor.name), tensorOpcodes(tensor, `${i}`, protocol))),
    pickle.setItems,
    pickle.emptyDict,
    join(string('_metadata'), dict, string(''), versions, pickle.setItem, pickle.setItem),
    pickle.build,
    pickle.stop,
  );
  return protocol < 4
    ? join(pickle.head(2), body)
    : join(pickle.head(4), bytes(0x95), fields('8', body.length), body);
}

/** Entries of an archive around a pickle and storages, named as `torch.save` names them. */
export function torchParts(
  data: Uint8Array,
  storages: ReadonlyMap<string, Uint8Array>,
): [name: string, content: Uint8Array][] {
  return [
    ['pytorch_model/data.pkl', data],
    ['pytorch_model/byteorder', Buffer.from('little')],
    ...[...storages].map(([key, content]): [string, Uint8Array] => [`pytorch_model/data/${key}`, content]),
    ['pytorch_model/version', Buffer.from('3\n')],
    ['pytorch_model/.data/serialization_id', Buffer.from('0'.repeat(40))],
  ];
}
