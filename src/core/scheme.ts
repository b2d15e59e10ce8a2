/**
 * Storage schemes of tensors: the ggml types (ggml.h, enum ggml_type), floats included.
 * A row of a tensor is a whole number of blocks. Their codecs are in src/schemes.
 */
export interface SchemeInfo {
  /** Number of the type in GGUF files. */
  readonly ggmlType: number;
  /** Weights per block. */
  readonly blockSize: number;
  /** Bytes per block. */
  readonly blockBytes: number;
}

export const SCHEMES = {
  F32: { ggmlType: 0, blockSize: 1, blockBytes: 4 },
  F16: { ggmlType: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { ggmlType: 2, blockSize: 32, blockBytes: 18 },
  Q4_1: { ggmlType: 3, blockSize: 32, blockBytes: 20 },
  Q5_0: { ggmlType: 6, blockSize: 32, blockBytes: 22 },
  Q5_1: { ggmlType: 7, blockSize: 32, blockBytes: 24 },
  Q8_0: { ggmlType: 8, blockSize: 32, blockBytes: 34 },
  Q2_K: { ggmlType: 10, blockSize: 256, blockBytes: 84 },
  Q3_K: { ggmlType: 11, blockSize: 256, blockBytes: 110 },
  Q4_K: { ggmlType: 12, blockSize: 256, blockBytes: 144 },
  Q5_K: { ggmlType: 13, blockSize: 256, blockBytes: 176 },
  Q6_K: { ggmlType: 14, blockSize: 256, blockBytes: 210 },
  IQ2_XXS: { ggmlType: 16, blockSize: 256, blockBytes: 66 },
  IQ2_XS: { ggmlType: 17, blockSize: 256, blockBytes: 74 },
  IQ3_XXS: { ggmlType: 18, blockSize: 256, blockBytes: 98 },
  IQ1_S: { ggmlType: 19, blockSize: 256, blockBytes: 50 },
  IQ4_NL: { ggmlType: 20, blockSize: 32, blockBytes: 18 },
  IQ3_S: { ggmlType: 21, blockSize: 256, blockBytes: 110 },
  IQ2_S: { ggmlType: 22, blockSize: 256, blockBytes: 82 },
  IQ4_XS: { ggmlType: 23, blockSize: 256, blockBytes: 136 },
  IQ1_M: { ggmlType: 29, blockSize: 256, blockBytes: 56 },
  BF16: { ggmlType: 30, blockSize: 1, blockBytes: 2 },
  TQ1_0: { ggmlType: 34, blockSize: 256, blockBytes: 54 },
  TQ2_0: { ggmlType: 35, blockSize: 256, blockBytes: 66 },
  MXFP4: { ggmlType: 39, blockSize: 32, blockBytes: 17 },
} as const satisfies Record<string, SchemeInfo>;

export type SchemeName = keyof typeof SCHEMES;

const BY_GGML_TYPE: ReadonlyMap<number, SchemeName> = new Map(
  Object.entries(SCHEMES).map(([name, info]) => [info.ggmlType, name as SchemeName]),
);

export function schemeOfGgmlType(type: number): SchemeName | undefined {
  return BY_GGML_TYPE.get(type);
}

/** Bytes of `columns` weights in `scheme`. `columns` must be a multiple of the block size. */
export function schemeBytes(scheme: SchemeName, columns: number): number {
  const { blockSize, blockBytes } = SCHEMES[scheme];
  return (columns / blockSize) * blockBytes;
}

/** Whether a row of `columns` weights can be stored in `scheme`. */
export function fitsScheme(scheme: SchemeName, columns: number): boolean {
  return columns % SCHEMES[scheme].blockSize === 0;
}

/**
 * The scheme that a matrix has when it is transposed: floats keep theirs, blocks, which lie along rows,
 * become F32.
 */
export function transposedScheme(scheme: SchemeName): SchemeName {
  return SCHEMES[scheme].blockSize === 1 ? scheme : 'F32';
}

/** Average bits per weight, block scales included. */
export function bitsPerWeight(scheme: SchemeName): number {
  const { blockSize, blockBytes } = SCHEMES[scheme];
  return (blockBytes * 8) / blockSize;
}
