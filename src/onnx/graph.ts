/**
 * The part of ONNX (onnx.proto, IR 10) that a language model needs, as plain values: what the exporter
 * builds, the file formats encode and decode, the structural check holds to its rules and the interpreter
 * runs.
 */

/** Element types with their numbers in `TensorProto.DataType` and their sizes. */
export const ELEMENT_TYPES = {
  float: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
  bool: { code: 9, bytes: 1 },
  float16: { code: 10, bytes: 2 },
} as const satisfies Record<string, { code: number; bytes: number }>;

export type ElementType = keyof typeof ELEMENT_TYPES;

/** A size, or the name of one that is known when the graph runs. */
export type Dimension = number | string;

/** An input or output of the graph. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** Undefined: of any rank. */
  readonly shape: readonly Dimension[] | undefined;
}

/** Bytes in a file beside the graph's own. */
export interface ExternalData {
  /** Bare name of a file in the graph's folder. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A constant: little-endian, row-major elements, in the graph's file or beside it. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | ExternalData;
}

export type Attribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'ints'; readonly value: readonly number[] };

/** Operators of ONNX itself, and those that ONNX Runtime adds. */
export const DOMAINS = ['', 'com.microsoft'] as const;

export type Domain = (typeof DOMAINS)[number];

export interface Node {
  readonly name: string;
  readonly opType: string;
  readonly domain: Domain;
  /** Names of values; '' where an optional input is left out. */
  readonly inputs: readonly string[];
  /** Names of values; '' where an optional output is not wanted. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly Initializer[];
  /** Each behind those whose outputs it reads. */
  readonly nodes: readonly Node[];
}

export interface OnnxModel {
  readonly irVersion: number;
  /** Version of each domain that nodes are of. */
  readonly opsets: Readonly<Partial<Record<Domain, number>>>;
  readonly producerName: string;
  readonly producerVersion: string;
  /** `metadata_props`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: Graph;
}

export function isExternal(data: Initializer['data']): data is ExternalData {
  return !(data instanceof Uint8Array);
}
