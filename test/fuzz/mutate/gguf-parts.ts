import { FIXED_BYTES, type FixedType, VALUE_TYPES } from '../../../formats/gguf/container/types.ts';

/** A GGUF taken apart without a check, so that every field can lie. */
export interface GgufParts {
  magic: Buffer;
  version: number;
  /** Counts of the header; undefined: the true ones. */
  tensorCount?: bigint;
  keyCount?: bigint;
  keys: { key: GgufText; value: GgufNode }[];
  tensors: { name: GgufText; dims: bigint[]; rank?: number; type: number; offset: bigint }[];
  alignment: number;
  /** From the first tensor on. */
  data: Buffer;
}

export interface GgufText {
  content: Buffer;
  /** What the file says instead of the true length. */
  length?: bigint;
}

/** A value with its type number; of an array the items have the type that the array says. */
export type GgufNode =
  | { kind: 'fixed'; type: number; bytes: Buffer }
  | { kind: 'text'; type: number; text: GgufText }
  | { kind: 'array'; type: number; items: number; nodes: GgufNode[]; length?: bigint };

const FIXED = new Map<number, number>(
  Object.entries(FIXED_BYTES).map(([name, bytes]) => [VALUE_TYPES[name as FixedType], bytes]),
);

/** Bytes of a type of fixed size; undefined for others. */
export const fixedBytes = (type: number): number | undefined => FIXED.get(type);

/** Throws where a file ends early. */
export function parseGguf(file: Buffer): GgufParts {
  let at = 4;
  const u32 = () => {
    at += 4;
    return file.readUInt32LE(at - 4);
  };
  const u64 = () => {
    at += 8;
    return file.readBigUInt64LE(at - 8);
  };
  const text = (): GgufText => {
    const length = Number(u64());
    if (at + length > file.length) throw new Error('ends early');
    at += length;
    return { content: file.subarray(at - length, at) };
  };
  const node = (type: number): GgufNode => {
    if (type === VALUE_TYPES.string) return { kind: 'text', type, text: text() };
    if (type === VALUE_TYPES.array) {
      const items = u32();
      const length = Number(u64());
      if (length > file.length) throw new Error('ends early');
      return { kind: 'array', type, items, nodes: Array.from({ length }, () => node(items)) };
    }
    at += fixedBytes(type)!;
    if (!(at <= file.length)) throw new Error('ends early');
    return { kind: 'fixed', type, bytes: file.subarray(at - fixedBytes(type)!, at) };
  };
  const version = u32();
  const [tensorCount, keyCount] = [Number(u64()), Number(u64())];
  if (tensorCount + keyCount > file.length) throw new Error('ends early');
  const keys = Array.from({ length: keyCount }, () => ({ key: text(), value: node(u32()) }));
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = text();
    const rank = u32();
    if (rank > 8) throw new Error('too many dimensions');
    return { name, dims: Array.from({ length: rank }, u64), type: u32(), offset: u64() };
  });
  const alignment = 32;
  const data = file.subarray(Math.ceil(at / alignment) * alignment);
  return { magic: file.subarray(0, 4), version, keys, tensors, alignment, data };
}

export function printGguf(parts: GgufParts): Buffer {
  const chunks: Buffer[] = [parts.magic];
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    chunks.push(bytes);
  };
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    chunks.push(bytes);
  };
  const text = ({ content, length }: GgufText) => {
    u64(length ?? BigInt(content.length));
    chunks.push(content);
  };
  const node = (value: GgufNode) => {
    if (value.kind === 'fixed') chunks.push(value.bytes);
    else if (value.kind === 'text') text(value.text);
    else {
      u32(value.items);
      u64(value.length ?? BigInt(value.nodes.length));
      for (const item of value.nodes) node(item);
    }
  };
  u32(parts.version);
  u64(parts.tensorCount ?? BigInt(parts.tensors.length));
  u64(parts.keyCount ?? BigInt(parts.keys.length));
  for (const { key, value } of parts.keys) {
    text(key);
    u32(value.type);
    node(value);
  }
  for (const { name, dims, rank, type, offset } of parts.tensors) {
    text(name);
    u32(rank ?? dims.length);
    for (const dim of dims) u64(dim);
    u32(type);
    u64(offset);
  }
  const header = chunks.reduce((sum, { length }) => sum + length, 0);
  const padding = (parts.alignment - (header % parts.alignment)) % parts.alignment;
  return Buffer.concat([...chunks, Buffer.alloc(padding), parts.data]);
}
