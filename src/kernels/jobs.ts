import {
  COLUMN_TILE,
  DESCENT_COLUMNS,
  ELIMINATION_TILE,
  ENCODER_SCRATCH,
  FEEDBACK_TILE,
  MOMENT_BLOCK,
  MOMENT_STRIPE,
  MOMENT_TILE,
  MOMENT_TOKENS,
  ROW_TILE,
  SPARSE_MOMENT_TILE,
  SPARSE_TILE,
  SUBSTITUTION_PANEL,
  SUBSTITUTION_TILE,
  TRANSPOSED_TILE,
  TRANSPOSITION_TILE,
} from './tiles.ts';

/**
 * The kernels, the fields of their jobs and how a job splits into tiles. This is the contract between the
 * sides that meet in one shared memory: the caller and the WebAssembly kernels (assembly/), which the tests
 * hold to oracles in plain TypeScript. A job lies in memory as one f64 per field, in the order given here.
 *
 * Units: pointers and strides ending in `Bytes` are bytes; all other strides count f32 elements. Every
 * activation is f32; weights stay in the ggml type `scheme` and are decoded a few rows at a time. Pointers
 * are 16-byte aligned, but for weights, which may start at any address that their blocks lead to.
 *
 * Determinism: a tile is computed by one thread in a fixed order of operations, and no result depends on how
 * tiles are spread over threads, nor, but for second moments, on how tokens are spread over batches.
 */

/** Weights of `batch` matrices (heads, or 1) times `tokens` vectors each. */
const MATMUL_FIELDS = [
  'weights',
  'scheme',
  'rowBytes',
  'rows',
  'columns',
  'batch',
  'weightsBatchBytes',
  'x',
  'xTokenStride',
  'xBatchStride',
  'y',
  'yTokenStride',
  'yBatchStride',
  'tokens',
] as const;

/** Queries, and the keys and values that they meet. */
const ATTENTION_OPERANDS = [
  'q',
  'qTokenStride',
  'qHeadStride',
  'keys',
  'keyStride',
  'keyHeadStride',
  'keyDim',
  'values',
  'valueStride',
  'valueHeadStride',
  'valueDim',
] as const;

export const KERNELS = {
  /**
   * y[b, t, r] = sum over c of x[b, t, c] * W[b, r, c], for each b of `batch`. A tile is ROW_TILE rows of one
   * b. Lane order: four partial sums over c mod 4, added as (s0 + s1) + (s2 + s3).
   */
  matmul: {
    fields: MATMUL_FIELDS,
    tiles: (job) => job.batch! * Math.ceil(job.rows! / ROW_TILE),
    tileWork: (job) => ROW_TILE * job.columns! * (job.tokens! + 1),
    scratch: (job) => ROW_TILE * job.columns!,
  },
  /**
   * y[b, t, c] = sum over r of x[b, t, r] * W[b, r, c], rows added in ascending order. A tile is
   * TRANSPOSED_TILE columns of one b.
   */
  matmulTransposed: {
    fields: MATMUL_FIELDS,
    tiles: (job) => job.batch! * Math.ceil(job.columns! / TRANSPOSED_TILE),
    tileWork: (job) => job.rows! * TRANSPOSED_TILE * (job.tokens! + 1),
    scratch: () => ROW_TILE * TRANSPOSED_TILE,
  },
  /**
   * y[t, c] = sum over r with x[t, r] != 0 of x[t, r] * W[r, c], rows added in ascending order; the others
   * are not read. used[t] = how many were; `used` points at i32. A tile is SPARSE_TILE columns of one token.
   * tileWork takes it that one row in eight is used.
   */
  matmulSparse: {
    fields: [
      'weights',
      'scheme',
      'rowBytes',
      'rows',
      'columns',
      'x',
      'xTokenStride',
      'y',
      'yTokenStride',
      'used',
      'tokens',
    ],
    tiles: (job) => job.tokens! * Math.ceil(job.columns! / SPARSE_TILE),
    tileWork: (job) => (SPARSE_TILE / 8) * job.rows!,
    scratch: (job) => ROW_TILE * SPARSE_TILE + job.rows!,
  },
  /** y[t, :] = decoded row ids[t] of the embedding; `ids` points at i32. A tile is one token. */
  embed: {
    fields: ['weights', 'scheme', 'rowBytes', 'columns', 'ids', 'y', 'yTokenStride', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => job.columns!,
  },
  /**
   * y[t, :] = x[t, :] / sqrt(mean(x^2) + epsilon) * gamma; x and y may be the same. A tile is one token. The
   * mean is taken in f64, in ascending order.
   */
  rmsNorm: {
    fields: ['x', 'xTokenStride', 'y', 'yTokenStride', 'gamma', 'columns', 'epsilon', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 4 * job.columns!,
  },
  /**
   * The gradient of `rmsNorm` in place: with s = 1 / sqrt(mean(x^2) + epsilon), g = s gamma g - x s^3 sum(x
   * gamma g) / columns. Sums are taken in f64, in ascending order. A tile is one token.
   */
  rmsNormGradient: {
    fields: ['x', 'xTokenStride', 'g', 'gTokenStride', 'gamma', 'columns', 'epsilon', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 8 * job.columns!,
  },
  /**
   * Rotates `dim` values of each of `heads` vectors per token in place. `table` holds cos and sin side by
   * side, dim/2 pairs per position; token t stands at position `position` + t. `interleaved` 1: pairs (2i,
   * 2i+1), 0: pairs (i, i + dim/2). A tile is one token.
   */
  rope: {
    fields: ['x', 'tokenStride', 'headStride', 'heads', 'dim', 'table', 'position', 'interleaved', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 4 * job.heads! * job.dim!,
  },
  /**
   * Causal softmax attention: token t of the batch sees cache positions 0 .. `position` + t. out[t, h, :] =
   * sum over s of softmax(scale * q[t, h] . keys[s, h]) * values[s, h]. A head stride of 0 shares keys and
   * values among heads (latent form). A tile is one (token, head). Dot products in the lane order of
   * `matmul`; exponentials are summed in f64 and values in f32, both in ascending position, and the sum of
   * values is divided last.
   */
  attention: {
    fields: [
      ...ATTENTION_OPERANDS,
      'out',
      'outTokenStride',
      'outHeadStride',
      'heads',
      'tokens',
      'position',
      'scale',
    ],
    tiles: (job) => job.tokens! * job.heads!,
    tileWork: (job) => (job.position! + job.tokens!) * (job.keyDim! + job.valueDim!),
    scratch: (job) => job.position! + job.tokens!,
  },
  /**
   * The gradients of `attention` from position 0 on: g is that of out; those of q, keys and values go to
   * `gq`, `gKeys` and `gValues`, of every token and head side by side, also where heads share keys and values.
   * With p the softmax and u[s] = g[t, h] . values[s, h], the slope of a score is scale * p[s] * (u[s] - sum of
   * p u): queries sum slopes times keys, keys slopes times queries, values p times g, all in ascending
   * position. A tile is one head.
   */
  attentionGradient: {
    fields: [
      ...ATTENTION_OPERANDS,
      'g',
      'gTokenStride',
      'gHeadStride',
      'gq',
      'gKeys',
      'gValues',
      'heads',
      'tokens',
      'scale',
    ],
    tiles: (job) => job.heads!,
    tileWork: (job) => (3 * job.tokens! ** 2 * (job.keyDim! + job.valueDim!)) / 2,
    scratch: (job) => 2 * job.tokens!,
  },
  /** x = softmax(x) in place over `columns` values of each token, summed in f64. A tile is one token. */
  softmax: {
    fields: ['x', 'tokenStride', 'columns', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 16 * job.columns!,
  },
  /** x = relu(x)^2 in place over `columns` values of each token. A tile is one token. */
  reluSquared: {
    fields: ['x', 'tokenStride', 'columns', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => job.columns!,
  },
  /** g *= 2 sqrt(y), the gradient of `reluSquared` in place, by what it has made of x. A tile is one token. */
  reluSquaredGradient: {
    fields: ['y', 'yTokenStride', 'g', 'gTokenStride', 'columns', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 2 * job.columns!,
  },
  /** y[t, :] += x[t, :]. An x stride of 0 adds one vector to every token. A tile is one token. */
  add: {
    fields: ['x', 'xTokenStride', 'y', 'yTokenStride', 'columns', 'tokens'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => job.columns!,
  },
  /**
   * Sums over t, each term times `weight`: squares[c] += x[t, c]^2; where `sums` is not 0, sums[c] += x[t,
   * c]; where `positives` is not 0, positives[c] += (x[t, c] > 0). All point at f64. Tokens are added one by
   * one in ascending order. A tile is COLUMN_TILE columns.
   */
  columnSums: {
    fields: ['x', 'tokenStride', 'columns', 'tokens', 'weight', 'squares', 'sums', 'positives'],
    tiles: (job) => Math.ceil(job.columns! / COLUMN_TILE),
    tileWork: (job) => COLUMN_TILE * job.tokens!,
  },
  /**
   * sums[c] += weight times the sum over t of x[t, c] * y[t, c], in f64; tokens are added one by one in
   * ascending order. A tile is COLUMN_TILE columns.
   */
  columnProducts: {
    fields: ['x', 'xTokenStride', 'y', 'yTokenStride', 'columns', 'tokens', 'weight', 'sums'],
    tiles: (job) => Math.ceil(job.columns! / COLUMN_TILE),
    tileWork: (job) => COLUMN_TILE * job.tokens!,
  },
  /**
   * moments[i, j] += weight * sum over t of x[t, i] * x[t, j] for j from i up: the upper triangle of a
   * symmetric matrix, row by row, in f64. MOMENT_TOKENS tokens at a time, from the first of the batch on, are
   * summed in f32 in ascending order; those with x[t, i] = 0 cost and add nothing. So the last bits depend on
   * where batches begin, but not on threads. A tile is MOMENT_TILE rows.
   */
  secondMoments: {
    fields: ['x', 'tokenStride', 'columns', 'tokens', 'weight', 'moments'],
    tiles: (job) => Math.ceil(job.columns! / MOMENT_TILE),
    tileWork: (job) => MOMENT_TILE * (job.columns! / 2) * job.tokens!,
    scratch: () => MOMENT_BLOCK + MOMENT_STRIPE * MOMENT_TOKENS + 2 * MOMENT_TILE * (MOMENT_TOKENS + 1),
  },
  /**
   * The values of each token that are not zero. `lists` points at `listStride` bytes per token, a multiple of
   * 8: how many they are as i32, 4 bytes of nothing, then the column as i32 and the value of each, ascending,
   * as many as have room. A tile is one token.
   */
  listNonzeros: {
    fields: ['x', 'tokenStride', 'columns', 'tokens', 'lists', 'listStride'],
    tiles: (job) => job.tokens!,
    tileWork: (job) => 4 * job.columns!,
  },
  /**
   * `secondMoments` of values that are mostly zeros, by the lists of `listNonzeros`, which must be complete:
   * only products of two non-zeros are taken. All tokens of the batch are summed in f32 in ascending order. A
   * tile is SPARSE_MOMENT_TILE rows. tileWork takes it that one value in eight is not zero.
   */
  sparseMoments: {
    fields: ['lists', 'listStride', 'columns', 'tokens', 'weight', 'moments'],
    tiles: (job) => Math.ceil(job.columns! / SPARSE_MOMENT_TILE),
    tileWork: (job) => (SPARSE_MOMENT_TILE / 64) * (job.columns! / 2) * job.tokens!,
    scratch: (job) => job.columns! + job.tokens!,
  },
  /**
   * A step of a Cholesky factorization A = L L^T of a lower triangle in f64, row by row: entries from <= j <
   * to, j <= i, of `rows` rows i from `firstRow` on become a_ij - sum over k < min(j, pivots) of l_ik l_jk,
   * and, where j < pivots, over l_jj. Entries before `from`, which is at most `pivots`, must be those of L
   * already, and rows before `to` too where they are divided by. k is summed in chunks, each subtracted from
   * what the one before left. A tile is ELIMINATION_TILE rows.
   */
  eliminateRows: {
    fields: ['triangle', 'from', 'to', 'pivots', 'firstRow', 'rows'],
    tiles: (job) => Math.ceil(job.rows! / ELIMINATION_TILE),
    tileWork: (job) => (ELIMINATION_TILE * (job.to! - job.from!) * (job.to! + job.from!)) / 2,
  },
  /**
   * The second half of solving by a Cholesky factor: the first `pivots` entries l of `rows` rows from
   * `firstRow` on become x with x L = l, L the first `pivots` rows of the same triangle. A tile is
   * SUBSTITUTION_TILE rows. Products are summed in panels of SUBSTITUTION_PANEL columns, counted from 0; that
   * of the largest columns is subtracted first.
   */
  substituteBack: {
    fields: ['triangle', 'pivots', 'firstRow', 'rows'],
    tiles: (job) => Math.ceil(job.rows! / SUBSTITUTION_TILE),
    tileWork: (job) => (SUBSTITUTION_TILE * job.pivots! ** 2) / 2,
    scratch: () => 2 * SUBSTITUTION_PANEL * (SUBSTITUTION_PANEL + 8),
  },
  /**
   * The factor L, a lower triangle of `size` rows of f64, of a matrix whose columns are in reverse, as error
   * feedback reads it: with n = `size`, factor[k, j] = L[n-1-j, n-1-k] / L[n-1-k, n-1-k] for j < k in f32, row
   * k of `columns` from element k (k - 1) / 2 on, and pivots[k] = L[n-1-k, n-1-k]^2 in f32. Rows and pivots
   * from n on are zeros. A tile is TRANSPOSITION_TILE rows of `factor`.
   */
  reverseFactor: {
    fields: ['triangle', 'size', 'columns', 'factor', 'pivots'],
    tiles: (job) => Math.ceil(job.columns! / TRANSPOSITION_TILE),
    tileWork: (job) => TRANSPOSITION_TILE * job.columns!,
  },
  /**
   * Second moments of windows of DESCENT_COLUMNS columns once later columns make up for them as well as they
   * can: of a window W, (I + U_WW) diag(pivots_W) (I + U_WW)^T with U[j, k] = factor[k, j]. `factor` and
   * `pivots` are those of `reverseFactor`. Row k of `columns`, DESCENT_COLUMNS f32, has the moments of column k
   * with those of its window. A tile is one window.
   */
  conditionalMoments: {
    fields: ['factor', 'pivots', 'columns', 'moments'],
    tiles: (job) => Math.ceil(job.columns! / DESCENT_COLUMNS),
    tileWork: () => DESCENT_COLUMNS ** 3 / 6,
  },
  /**
   * Rewrites rows from one scheme into another through f32; copies where they are equal. `importance` points
   * at `columns` f32, the weights of errors for encoders that take them; 0: none. A tile is one row.
   */
  transcode: {
    fields: [
      'source',
      'sourceScheme',
      'sourceRowBytes',
      'target',
      'targetScheme',
      'targetRowBytes',
      'rows',
      'columns',
      'importance',
    ],
    tiles: (job) => job.rows!,
    tileWork: (job) => 8 * job.columns!,
    scratch: (job) => job.columns! + ENCODER_SCRATCH,
  },
  /** Rewrites rows into Q8_0 with one scale per row, the same in all of its blocks. A tile is one row. */
  quantizeByRow: {
    fields: ['source', 'sourceScheme', 'sourceRowBytes', 'target', 'targetRowBytes', 'rows', 'columns'],
    tiles: (job) => job.rows!,
    tileWork: (job) => 8 * job.columns!,
    scratch: (job) => job.columns!,
  },
  /**
   * Rewrites rows into a scheme with `hasGrid`, column after column, and lets later columns make up for
   * the error of each: column k is rounded from w_k + sum over j < k of (w_j - rounded w_j) * factor[k, j]
   * (LDLQ, arXiv 2307.13304, section 3). `factor` is that of `reverseFactor`. A block's scales are chosen when
   * its turn comes, with `importance` as in `transcode`, but for each block as for a row of its own. Sums over
   * the columns before the block, over those of it before a span of 32, and over those of the span are taken
   * one after the other, each in the lane order of `matmul`. `pivots` are those of `reverseFactor`: the loss is
   * the sum of pivots[k] times the square of what rounding has left of column k. Where `refits` is 1, step and
   * min of a group are chosen again once its codes are known, if that lowers the loss of its columns. Where
   * `conditional`, that of `conditionalMoments`, is not 0, the codes of a window of DESCENT_COLUMNS are then
   * chosen again one by one, as long as each lowers what the window costs. A tile is FEEDBACK_TILE rows.
   */
  roundWithFeedback: {
    fields: [
      'source',
      'sourceScheme',
      'sourceRowBytes',
      'target',
      'targetScheme',
      'targetRowBytes',
      'rows',
      'columns',
      'importance',
      'factor',
      'pivots',
      'conditional',
      'refits',
    ],
    tiles: (job) => Math.ceil(job.rows! / FEEDBACK_TILE),
    tileWork: (job) => (FEEDBACK_TILE * job.columns! * job.columns!) / 2,
    // Of each row its errors, two blocks of 256 columns and a window with its grid; for all two windows and what
    // belongs to the tile.
    scratch: (job) =>
      FEEDBACK_TILE * (job.columns! + 2 * 256 + 3 * DESCENT_COLUMNS + 40) +
      2 * DESCENT_COLUMNS +
      144 +
      ENCODER_SCRATCH,
  },
  /**
   * Compares rows of two storages of one matrix: writes four f64 per row at `out`: sum (a-b)^2, sum a^2, max
   * |a-b|, NaN aside, and the number of values of b that are not finite. Sums in the lane order of `matmul`.
   * A tile is one row.
   */
  difference: {
    fields: ['a', 'aScheme', 'aRowBytes', 'b', 'bScheme', 'bRowBytes', 'rows', 'columns', 'out'],
    tiles: (job) => job.rows!,
    tileWork: (job) => 8 * job.columns!,
    scratch: (job) => 2 * job.columns!,
  },
} as const satisfies Record<string, KernelInfo>;

export interface KernelInfo {
  readonly fields: readonly string[];
  /** Number of independent tiles of a job. */
  readonly tiles: (job: JobFields) => number;
  /**
   * Multiply-adds of one tile, roughly: decides how many tiles a thread claims at once and whether others
   * wake.
   */
  readonly tileWork: (job: JobFields) => number;
  /** f32 elements of scratch that each thread needs; none if left out. */
  readonly scratch?: (job: JobFields) => number;
}

export type JobFields = Readonly<Record<string, number>>;

export type KernelName = keyof typeof KERNELS;

/** A job of kernel K: every field by name. */
export type Job<K extends KernelName> = Readonly<Record<(typeof KERNELS)[K]['fields'][number], number>>;
