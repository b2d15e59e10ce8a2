import { BLOCK_SIZE } from '../core/scheme-constants/q4_0.ts';

/**
 * How a plane of a tensor stores weights. `f32` and `f16`: as such. `q8`: blocks of 32 columns, int8 codes;
 * weight = code * scale. `q4`: blocks of 32 columns, codes of 4 bits; weight = (code - 8) * scale. Vectors
 * are f32.
 */
export const MATRIX_SCHEMES = ['f16', 'q8', 'q4'] as const;
export const BUNDLE_SCHEMES = ['f32', ...MATRIX_SCHEMES] as const;

export type MatrixScheme = (typeof MATRIX_SCHEMES)[number];
export type BundleScheme = (typeof BUNDLE_SCHEMES)[number];

/** Columns of a block of q4 and q8; rows of all schemes are padded to whole blocks. */
export const BLOCK = BLOCK_SIZE;
/** Where pieces of planes begin, so that they can be copied and bound as they lie. */
export const ALIGNMENT = 256;
/** Planes are cut between groups of so many rows. */
export const PIECE_ROWS = 64;
/** Larger files of weights make a page hold more memory while it loads. */
export const MAX_SHARD_BYTES = 32 << 20;

const VALUE_BITS: Readonly<Record<BundleScheme, number>> = { f32: 32, f16: 16, q8: 8, q4: 4 };

interface Row {
  readonly scheme: BundleScheme;
  /** Without padding. */
  readonly columns: number;
}

/** Columns with the padding that rows end with. */
export function storedColumns({ columns }: Pick<Row, 'columns'>): number {
  return Math.ceil(columns / BLOCK) * BLOCK;
}

/** Bytes of one row in the plane of values. */
export function valueRowBytes(row: Row): number {
  return (storedColumns(row) * VALUE_BITS[row.scheme]) / 8;
}

/** Bytes of one row in the plane of scales. */
export function scaleRowBytes(row: Row): number {
  return row.scheme === 'q8' || row.scheme === 'q4' ? (2 * storedColumns(row)) / BLOCK : 0;
}
