/** Sizes of tiles, for the jobs in TypeScript and the kernels in AssemblyScript, which import this file. */

/** Weight rows decoded and multiplied together: enough to reuse each activation four times. */
export const ROW_TILE = 4;

/** Columns that one thread sums up at once: their sums stay in the first cache. */
export const COLUMN_TILE = 64;

/**
 * Rows of second moments that one thread sums up at once: each token's values are read once for all of them.
 */
export const MOMENT_TILE = 8;

/**
 * Rows of a triangle that one thread eliminates at once: each row that they are freed of is read once for all
 * of them.
 */
export const ELIMINATION_TILE = 8;

/**
 * Columns of y that one thread sums up in `matmulSparse`: wide enough that a piece of a row is worth
 * fetching, narrow enough that the threads share a token. Whole blocks of every scheme.
 */
export const SPARSE_TILE = 512;

/** f32 elements of scratch that the encoder of a block scheme may use beside the row. */
export const ENCODER_SCRATCH = 2048;
