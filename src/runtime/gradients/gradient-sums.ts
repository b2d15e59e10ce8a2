import { attendedHeadDim, type PlmConfig, queryNopeDim } from '../../core/config.ts';
import type { LayerRole } from '../../core/names.ts';
import { SCHEMES } from '../../core/scheme.ts';
import type { Pointer, SharedViews } from '../../kernels/memory.ts';
import { type Allocator, allocFloats } from '../allocator.ts';
import type { Batch, Vectors } from '../batch.ts';
import { type Matrix, multiply, multiplyTransposed, sumProducts } from '../operations.ts';

/** Matrices of a layer; kv_b_proj stands for its halves too, where it comes in two. */
export type GradientRole = Extract<
  LayerRole,
  'q_a_proj' | 'q_b_proj' | 'q_proj' | 'kv_a_proj_with_mqa' | 'kv_b_proj' | 'o_proj' | 'up_proj' | 'down_proj'
>;

/** Sums over all sequences of the squared gradient of the loss by every weight of a matrix. */
export interface WeightGradients {
  /** Of the weights of each row. */
  readonly rows: Float64Array;
  /** Of the weights of each column. */
  readonly columns: Float64Array;
}

/** By matrix. */
export type LayerGradients = ReadonlyMap<GradientRole, WeightGradients>;

interface Places {
  readonly rows: Pointer;
  readonly columns: Pointer;
}

interface Shape {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Sums of one layer after the other, f64 in the shared memory; they do not depend on threads. The gradient by a
 * matrix is the sum over tokens t of the outer products g_t x_t^T of output gradients and inputs. It would be as
 * large as the matrix and is never formed: the squares in row i add up to the sum over s and t of
 * (x_s . x_t) g_s,i g_t,i; for columns x and g are exchanged.
 */
export class GradientSums {
  readonly #config: PlmConfig;
  readonly #places: ReadonlyMap<GradientRole, Places>;
  /** Dot products of every two tokens. */
  readonly #products: Pointer;
  /** Their product with one of the two. */
  readonly #mixed: Pointer;
  #weight = 1;
  #layer = 0;

  /** `tokens`: the most of one sequence. */
  constructor(config: PlmConfig, tokens: number, allocator: Allocator) {
    this.#config = config;
    const widest = shapesOf(config, Math.max(...config.intermediateSizes));
    this.#places = new Map(
      [...widest].map(([role, shape]) => [
        role,
        { rows: allocator.alloc(8 * shape.rows), columns: allocator.alloc(8 * shape.columns) },
      ]),
    );
    this.#products = allocFloats(allocator, tokens * tokens);
    const most = Math.max(...[...widest.values()].flatMap(({ rows, columns }) => [rows, columns]));
    this.#mixed = allocFloats(allocator, tokens * most);
  }

  /** Forgets all sums and begins with a layer. */
  begin(views: SharedViews, layer: number): void {
    this.#layer = layer;
    for (const { rows, columns } of this.#areas(views).values()) {
      rows.fill(0);
      columns.fill(0);
    }
  }

  /** How often each of the tokens from now on counts. */
  weigh(weight: number): void {
    this.#weight = weight;
  }

  /** Adds a whole sequence: inputs `x` of a matrix, and gradients `g` of the loss by its outputs. */
  add(batch: Batch, role: GradientRole, x: Vectors, g: Vectors): void {
    const { rows, columns } = this.#shapes.get(role)!;
    const places = this.#places.get(role)!;
    this.#addSide(batch, x, columns, g, rows, places.rows);
    this.#addSide(batch, g, rows, x, columns, places.columns);
  }

  /** Copies of the sums of the layer. */
  layer(views: SharedViews): LayerGradients {
    return new Map(
      [...this.#areas(views)].map(([role, { rows, columns }]) => [
        role,
        { rows: rows.slice(), columns: columns.slice() },
      ]),
    );
  }

  /** sums[c] += sum over tokens s and t of (a_s . a_t) b_s[c] b_t[c]. */
  #addSide(batch: Batch, a: Vectors, aCount: number, b: Vectors, bCount: number, sums: Pointer): void {
    const products = { pointer: this.#products, stride: batch.tokens };
    multiply(batch, matrixOf(batch, a, aCount), a, products);
    const mixed = { pointer: this.#mixed, stride: b.stride };
    // Whole vectors: kernels find columns by the bytes of a row.
    multiplyTransposed(batch, matrixOf(batch, b, b.stride), products, mixed);
    sumProducts(batch, b, mixed, bCount, { weight: this.#weight, sums });
  }

  #areas(views: SharedViews): ReadonlyMap<GradientRole, WeightGradients> {
    return new Map(
      [...this.#shapes].map(([role, shape]) => {
        const { rows, columns } = this.#places.get(role)!;
        return [
          role,
          { rows: views.doubles(rows, shape.rows), columns: views.doubles(columns, shape.columns) },
        ];
      }),
    );
  }

  get #shapes(): ReadonlyMap<GradientRole, Shape> {
    return shapesOf(this.#config, this.#config.intermediateSizes[this.#layer]!);
  }
}

/** The vectors of all tokens as the rows of a matrix of `columns`. */
function matrixOf({ tokens }: Batch, { pointer, stride }: Vectors, columns: number): Matrix {
  return {
    weights: pointer,
    scheme: SCHEMES.F32.ggmlType,
    rowBytes: 4 * stride,
    rows: tokens,
    columns,
    batch: 1,
    weightsBatchBytes: 0,
  };
}

/** Of every matrix that a layer has. */
function shapesOf(config: PlmConfig, width: number): ReadonlyMap<GradientRole, Shape> {
  const { numAttentionHeads: heads, hiddenSize, qLoraRank, kvLoraRank, qkRopeHeadDim } = config;
  const queries = heads * (queryNopeDim(config) + qkRopeHeadDim);
  const shapes = new Map<GradientRole, Shape>([
    ['kv_a_proj_with_mqa', { rows: kvLoraRank + qkRopeHeadDim, columns: hiddenSize }],
    ['o_proj', { rows: hiddenSize, columns: heads * attendedHeadDim(config) }],
    ['up_proj', { rows: width, columns: hiddenSize }],
    ['down_proj', { rows: hiddenSize, columns: width }],
  ]);
  if (qLoraRank === undefined) shapes.set('q_proj', { rows: queries, columns: hiddenSize });
  else {
    shapes.set('q_a_proj', { rows: qLoraRank, columns: hiddenSize });
    shapes.set('q_b_proj', { rows: queries, columns: qLoraRank });
  }
  if (config.kvBForm === 'premultiplied') return shapes;
  const group = config.qkNopeHeadDim + config.vHeadDim;
  return shapes.set('kv_b_proj', { rows: heads * group, columns: kvLoraRank });
}
