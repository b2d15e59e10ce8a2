import { type GgmlType, SCHEMES } from '../../../src/core/scheme.ts';

/** Numbers of the value types of GGUF (ggml docs/gguf.md, enum gguf_metadata_value_type). */
export const VALUE_TYPES = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

export type ValueType = keyof typeof VALUE_TYPES;
/** Bytes of the types of fixed size. */
export const FIXED_BYTES = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  u64: 8,
  i64: 8,
  f64: 8,
} as const satisfies Partial<Record<ValueType, number>>;

export type FixedType = keyof typeof FIXED_BYTES;

/** The JavaScript value of each type; 64-bit integers may exceed what a number holds. */
export interface NativeTypes {
  readonly u8: number;
  readonly i8: number;
  readonly u16: number;
  readonly i16: number;
  readonly u32: number;
  readonly i32: number;
  readonly f32: number;
  readonly bool: boolean;
  readonly string: string;
  readonly u64: bigint;
  readonly i64: bigint;
  readonly f64: number;
}

export type ScalarType = keyof NativeTypes;

export type GgufValue =
  | { [T in ScalarType]: { readonly type: T; readonly value: NativeTypes[T] } }[ScalarType]
  | GgufArray;

export type GgufArray =
  | {
      [T in ScalarType]: {
        readonly type: 'array';
        readonly items: T;
        readonly value: readonly NativeTypes[T][];
      };
    }[ScalarType]
  | { readonly type: 'array'; readonly items: 'array'; readonly value: readonly GgufArray[] };

/** Key-value pairs in file order. */
export type Metadata = ReadonlyMap<string, GgufValue>;

/** A tensor as the file describes it. */
export interface GgufTensorInfo {
  readonly name: string;
  /** Dimensions in the order of ggml: the row length first. */
  readonly dims: readonly number[];
  /** Number of the ggml type. */
  readonly type: number;
  /** Byte offset in the file (the stored value counts from the start of the data). */
  readonly offset: number;
  /** Bytes of the tensor, without padding. */
  readonly bytes: number;
}

/** Everything before the data of a GGUF file. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: Metadata;
  readonly tensors: readonly GgufTensorInfo[];
}

export const MAGIC = 'GGUF';
/** The version written; version 2 has the same layout. */
export const VERSION = 3;
export const DEFAULT_ALIGNMENT = 32;
/** llama.cpp (GGML_MAX_NAME) refuses tensor names of 64 bytes and more. */
export const MAX_TENSOR_NAME_BYTES = 63;
export const MAX_DIMS = 4;
/** Keys are at most 2^16 - 1 bytes by the specification. */
export const MAX_KEY_BYTES = 65_535;

/** ggml types that can stand in a file although no scheme of this project stores them. */
const OTHER_TYPES: ReadonlyMap<number, GgmlType> = new Map(
  [
    { ggmlType: 9, blockSize: 32, blockBytes: 36 }, // Q8_1
    { ggmlType: 15, blockSize: 256, blockBytes: 292 }, // Q8_K
    { ggmlType: 24, blockSize: 1, blockBytes: 1 }, // I8
    { ggmlType: 25, blockSize: 1, blockBytes: 2 }, // I16
    { ggmlType: 26, blockSize: 1, blockBytes: 4 }, // I32
    { ggmlType: 27, blockSize: 1, blockBytes: 8 }, // I64
    { ggmlType: 28, blockSize: 1, blockBytes: 8 }, // F64
    { ggmlType: 40, blockSize: 64, blockBytes: 36 }, // NVFP4
    { ggmlType: 41, blockSize: 128, blockBytes: 18 }, // Q1_0
    { ggmlType: 42, blockSize: 64, blockBytes: 18 }, // Q2_0
  ].map((info) => [info.ggmlType, info]),
);

const SCHEME_TYPES: ReadonlyMap<number, GgmlType> = new Map(
  Object.values(SCHEMES).map((info) => [info.ggmlType, info]),
);

/** Block geometry of a ggml type; undefined for removed and unknown types. */
export function ggmlTypeInfo(type: number): GgmlType | undefined {
  return SCHEME_TYPES.get(type) ?? OTHER_TYPES.get(type);
}

/** `bytes` rounded up to a multiple of `alignment`. */
export function padded(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
