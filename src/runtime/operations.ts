import type { Job } from '../kernels/jobs.ts';
import type { Pointer } from '../kernels/memory.ts';
import type { Batch, Vectors } from './batch.ts';

/** A matrix in its stored scheme, or as many as there are heads. */
export type Matrix = Pick<
  Job<'matmul'>,
  'weights' | 'scheme' | 'rowBytes' | 'rows' | 'columns' | 'batch' | 'weightsBatchBytes'
>;

/** The scale of an RMSNorm, decoded. */
export type Norm = Pick<Job<'rmsNorm'>, 'gamma' | 'columns' | 'epsilon'>;

/** The rotations of all positions; see `fillRopeTable`. */
export type Rope = Pick<Job<'rope'>, 'table' | 'dim' | 'interleaved'>;

/** The same vectors from element `offset` on. */
export function from(vectors: Vectors, offset: number): Vectors {
  return { ...vectors, pointer: vectors.pointer + 4 * offset };
}

/** y = W x. */
export function multiply(batch: Batch, weights: Matrix, x: Vectors, y: Vectors): void {
  batch.compute.run('matmul', matmulJob(batch, weights, x, y));
}

/** y = W^T x. */
export function multiplyTransposed(batch: Batch, weights: Matrix, x: Vectors, y: Vectors): void {
  batch.compute.run('matmulTransposed', matmulJob(batch, weights, x, y));
}

/**
 * y = W^T x, of W only the rows whose element of x is not zero; `used`, an i32 a token, gets how many those
 * were.
 */
export function multiplySparse(
  { compute, tokens }: Batch,
  weights: Matrix,
  x: Vectors,
  y: Vectors,
  used: Pointer,
): void {
  const { weights: pointer, scheme, rowBytes, rows, columns } = weights;
  compute.run('matmulSparse', {
    weights: pointer,
    scheme,
    rowBytes,
    rows,
    columns,
    x: x.pointer,
    xTokenStride: x.stride,
    y: y.pointer,
    yTokenStride: y.stride,
    used,
    tokens,
  });
}

function matmulJob({ tokens }: Batch, weights: Matrix, x: Vectors, y: Vectors): Job<'matmul'> {
  return {
    ...weights,
    x: x.pointer,
    xTokenStride: x.stride,
    xBatchStride: x.headStride ?? 0,
    y: y.pointer,
    yTokenStride: y.stride,
    yBatchStride: y.headStride ?? 0,
    tokens,
  };
}

/** Where sums over tokens go, each f64 by column; those left out are not wanted. */
export interface ColumnSums {
  /** Of every term. */
  readonly weight: number;
  readonly squares: Pointer;
  readonly sums?: Pointer;
  /** Of x > 0. */
  readonly positives?: Pointer;
}

/** Adds the columns of all tokens to their sums. */
export function sumColumns({ compute, tokens }: Batch, x: Vectors, columns: number, into: ColumnSums): void {
  const { weight, squares, sums = 0, positives = 0 } = into;
  const source = { x: x.pointer, tokenStride: x.stride, columns, tokens };
  compute.run('columnSums', { ...source, weight, squares, sums, positives });
}

/** Adds the products of the columns of all tokens to `sums`, f64 by column. */
export function sumProducts(
  { compute, tokens }: Batch,
  x: Vectors,
  y: Vectors,
  columns: number,
  { weight, sums }: { readonly weight: number; readonly sums: Pointer },
): void {
  const operands = { x: x.pointer, xTokenStride: x.stride, y: y.pointer, yTokenStride: y.stride };
  compute.run('columnProducts', { ...operands, columns, tokens, weight, sums });
}

/** y = RMSNorm(x); x and y may be the same. */
export function normalize({ compute, tokens }: Batch, norm: Norm, x: Vectors, y: Vectors): void {
  compute.run('rmsNorm', {
    ...norm,
    x: x.pointer,
    xTokenStride: x.stride,
    y: y.pointer,
    yTokenStride: y.stride,
    tokens,
  });
}

/** g becomes the gradient of the loss by x, where it is that by RMSNorm(x). */
export function normalizeGradient({ compute, tokens }: Batch, norm: Norm, x: Vectors, g: Vectors): void {
  compute.run('rmsNormGradient', {
    ...norm,
    x: x.pointer,
    xTokenStride: x.stride,
    g: g.pointer,
    gTokenStride: g.stride,
    tokens,
  });
}

/** Rotates the vectors of `heads` heads in place by the angles of their positions. */
export function rotate({ compute, tokens, position }: Batch, rope: Rope, x: Vectors, heads: number): void {
  compute.run('rope', {
    ...rope,
    x: x.pointer,
    tokenStride: x.stride,
    headStride: x.headStride ?? 0,
    heads,
    position,
    tokens,
  });
}

/** Queries against the cached keys and values of one layer, from position 0 to those of the batch. */
export interface AttentionOperands {
  readonly q: Vectors;
  readonly keys: Vectors;
  readonly keyDim: number;
  readonly values: Vectors;
  readonly valueDim: number;
  readonly heads: number;
  readonly scale: number;
}

/** out = causal softmax(scale q . keys) values. */
export function attend(
  { compute, tokens, position }: Batch,
  operands: AttentionOperands,
  out: Vectors,
): void {
  const { heads, scale } = operands;
  compute.run('attention', {
    ...operandFields(operands),
    out: out.pointer,
    outTokenStride: out.stride,
    outHeadStride: out.headStride ?? 0,
    heads,
    tokens,
    position,
    scale,
  });
}

/** Where the gradients by queries, keys and values go: of every token and head side by side. */
export interface AttentionGradients {
  readonly q: Pointer;
  readonly keys: Pointer;
  readonly values: Pointer;
}

/** The gradients of `attend` over whole sequences; g: that by what it gives. */
export function attendGradient(
  { compute, tokens }: Batch,
  operands: AttentionOperands,
  g: Vectors,
  into: AttentionGradients,
): void {
  const { heads, scale } = operands;
  compute.run('attentionGradient', {
    ...operandFields(operands),
    g: g.pointer,
    gTokenStride: g.stride,
    gHeadStride: g.headStride ?? 0,
    gq: into.q,
    gKeys: into.keys,
    gValues: into.values,
    heads,
    tokens,
    scale,
  });
}

function operandFields({ q, keys, keyDim, values, valueDim }: AttentionOperands) {
  return {
    q: q.pointer,
    qTokenStride: q.stride,
    qHeadStride: q.headStride ?? 0,
    keys: keys.pointer,
    keyStride: keys.stride,
    keyHeadStride: keys.headStride ?? 0,
    keyDim,
    values: values.pointer,
    valueStride: values.stride,
    valueHeadStride: values.headStride ?? 0,
    valueDim,
  };
}

/** x = softmax(x) over `columns` elements of each token. */
export function softmax({ compute, tokens }: Batch, x: Vectors, columns: number): void {
  compute.run('softmax', { x: x.pointer, tokenStride: x.stride, columns, tokens });
}

/** Copies `count` elements of each head; a source without head stride goes to every head. */
export function copyHeads(
  { compute, tokens }: Batch,
  source: Vectors,
  target: Vectors,
  heads: number,
  count: number,
): void {
  const memory = new Float32Array(compute.buffer);
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < heads; h++) {
      const start = source.pointer / 4 + t * source.stride + h * (source.headStride ?? 0);
      memory.copyWithin(
        target.pointer / 4 + t * target.stride + h * (target.headStride ?? 0),
        start,
        start + count,
      );
    }
  }
}

/** x = relu(x)^2 over `columns` elements of each token. */
export function squareRelu({ compute, tokens }: Batch, x: Vectors, columns: number): void {
  compute.run('reluSquared', { x: x.pointer, tokenStride: x.stride, columns, tokens });
}

/** g becomes the gradient by x of `squareRelu`, which has made y of x. */
export function squareReluGradient(
  { compute, tokens }: Batch,
  y: Vectors,
  g: Vectors,
  columns: number,
): void {
  compute.run('reluSquaredGradient', {
    y: y.pointer,
    yTokenStride: y.stride,
    g: g.pointer,
    gTokenStride: g.stride,
    columns,
    tokens,
  });
}

/** y += x over `columns` elements of each token. */
export function addTo({ compute, tokens }: Batch, x: Vectors, y: Vectors, columns: number): void {
  compute.run('add', {
    x: x.pointer,
    xTokenStride: x.stride,
    y: y.pointer,
    yTokenStride: y.stride,
    columns,
    tokens,
  });
}
