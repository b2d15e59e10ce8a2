/** Sizes of tiles, for the jobs in TypeScript and the kernels in AssemblyScript, which import this file. */

/** Weight rows decoded and multiplied together: enough to reuse each activation four times. */
export const ROW_TILE = 4;

/** Columns that one thread sums up at once: their sums stay in the first cache. */
export const COLUMN_TILE = 64;

/** Rows of second moments that one thread sums up at once: they share packed columns. */
export const MOMENT_TILE = 64;

/** Columns of second moments whose sums are in registers at once. */
export const MOMENT_BLOCK = 32;

/** Columns whose sums go to a row of second moments one block after the other: it is streamed, not visited. */
export const MOMENT_STRIPE = 128;

/** Tokens that second moments are summed over in f32: a packed block of them stays in the first cache. */
export const MOMENT_TOKENS = 128;

/** Rows of second moments of mostly zeros that one thread sums up at once: it looks for their entries once. */
export const SPARSE_MOMENT_TILE = 64;

/** The part of a token's values that may be non-zeros in `listNonzeros`. */
export const LISTED_SHARE = 0.25;

/**
 * Rows of a triangle that one thread eliminates at once, and entries of each that are multiplied at once: both
 * together stay in the first cache, while the rows that they are multiplied by stream by.
 */
export const ELIMINATION_TILE = 16;
export const ELIMINATION_CHUNK = 256;

/** Columns of a row that are solved for one by one; products with those before are taken for several rows. */
export const ELIMINATION_BLOCK = 8;

/** Rows that one thread substitutes back at once: each transposes the factor once for all of them. */
export const SUBSTITUTION_TILE = 32;

/** Columns that are substituted back at once. */
export const SUBSTITUTION_PANEL = 128;

/** Rows of the transposed factor that one thread writes at once: a cache line of each is filled at a time. */
export const TRANSPOSITION_TILE = 64;

/**
 * Rows that are rounded together with error feedback: enough that the factor is seldom read, few enough that
 * their errors stay in the second cache.
 */
export const FEEDBACK_TILE = 16;

/** Columns whose codes are chosen again together after rounding with error feedback: whole super-blocks. */
export const DESCENT_COLUMNS = 256;

/**
 * Columns of y that one thread sums up in `matmulSparse`: wide enough that a piece of a row is worth
 * fetching, narrow enough that the threads share a token. Whole blocks of every scheme.
 */
export const SPARSE_TILE = 512;

/**
 * Columns of y that one thread sums up in `matmulTransposed`: those of a batch of tokens stay in the second
 * cache. Whole blocks of every scheme.
 */
export const TRANSPOSED_TILE = 256;

/** f32 elements of scratch that the encoder of a block scheme may use beside the row. */
export const ENCODER_SCRATCH = 2048;
