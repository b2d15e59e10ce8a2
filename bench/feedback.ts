import { parseArgs } from 'node:util';
import { Turns } from '../src/core/jobs/turns.ts';
import { SCHEMES, type SchemeName, schemeBytes } from '../src/core/scheme.ts';
import { type Compute, openCompute, type Pointer } from '../src/kernels/compute.ts';
import { matrixProduct } from '../src/kernels/matrix-product.ts';
import { DESCENT_COLUMNS } from '../src/kernels/tiles.ts';
import { factorTriangle } from '../src/pipeline/algebra/factor-triangle.ts';
import { addSecondMoments, listBytes } from '../src/runtime/second-moments.ts';
import { uniform } from '../test/support/builders/samples.ts';
import { type Measurement, mediansInTurn } from './measure.ts';

/** The matrices of a layer of PLM-1.8B: rows, columns. */
const MATRICES: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  q_proj: [3072, 2048],
  kv_a_proj: [576, 2048],
  kv_b_proj: [4096, 512],
  o_proj: [2048, 2048],
  up_proj: [8192, 2048],
  down_proj: [2048, 8192],
};
const TARGETS: readonly SchemeName[] = ['Q4_K', 'Q6_K'];
const WIDEST = 8192;
const MOST_WEIGHTS = 8192 * 2048;
/** Tokens that the runtime multiplies at once. */
const TOKENS = 128;
/** Tokens of a batch of second moments. */
const MOMENT_BATCH = 512;
/** Multiplications of a sample of rows that are rounded. */
const ROUNDED_PRODUCTS = 2 ** 29;
const ROUNDS = 5;

/**
 * `npm run bench -- feedback [--threads N]`: the algebra of `--quality best` at PLM-1.8B's widths, in
 * multiplications per second beside the matrix product of the runtime: rounding with error feedback (columns^2
 * / 2 per row, a sample of rows), Cholesky factors (n^3 / 6), dense second moments (n^2 / 2 per token). Then
 * the time of second moments with zeros beside that of dense ones.
 */
export async function* benchFeedback(argv: readonly string[]): AsyncGenerator<Measurement> {
  const { values } = parseArgs({
    args: [...argv],
    options: { threads: { type: 'string', default: '2' } },
  });
  const triangleBytes = 4 * WIDEST * (WIDEST + 1);
  const batchBytes = 4 * MOMENT_BATCH * WIDEST;
  const bytes =
    4 * MOST_WEIGHTS +
    triangleBytes +
    2 * batchBytes +
    listBytes(WIDEST, MOMENT_BATCH) +
    4 * WIDEST * (1 + DESCENT_COLUMNS) +
    4096;
  const compute = await openCompute({ threads: Number(values.threads), bytes });
  const places: Places = {
    weights: compute.alloc(4 * MOST_WEIGHTS),
    x: compute.alloc(batchBytes),
    y: compute.alloc(batchBytes),
    triangle: compute.alloc(triangleBytes),
    pivots: compute.alloc(4 * WIDEST),
    conditional: compute.alloc(4 * WIDEST * DESCENT_COLUMNS),
    lists: compute.alloc(listBytes(WIDEST, MOMENT_BATCH)),
  };
  const bench = new FeedbackBench(compute, places);
  try {
    for (const [name, [rows, columns]] of Object.entries(MATRICES)) {
      for (const target of TARGETS) {
        yield await bench.rounding(name, target, rows, columns);
      }
    }
    for (const size of [2048, WIDEST]) yield await bench.factors(size);
    for (const size of [512, 2048, WIDEST]) yield await bench.moments(size);
    for (const zeros of [0.5, 0.9]) yield await bench.sparseMoments(WIDEST, zeros);
  } finally {
    await compute.close();
  }
}

interface Places {
  readonly weights: Pointer;
  readonly x: Pointer;
  readonly y: Pointer;
  readonly triangle: Pointer;
  readonly pivots: Pointer;
  readonly conditional: Pointer;
  readonly lists: Pointer;
}

class FeedbackBench {
  readonly #compute: Compute;
  readonly #places: Places;
  readonly #turns = new Turns(undefined);

  constructor(compute: Compute, places: Places) {
    this.#compute = compute;
    this.#places = places;
    this.#fill(places.weights, MOST_WEIGHTS, 0);
    this.#fillBatch(0);
    this.#compute.floats(places.pivots, WIDEST).fill(1);
  }

  async rounding(name: string, scheme: SchemeName, rows: number, columns: number): Promise<Measurement> {
    const { weights, y, triangle, pivots, conditional } = this.#places;
    const sample = Math.min(rows, Math.max(64, (2 * ROUNDED_PRODUCTS) / columns ** 2));
    this.#fillFactor(columns);
    this.#compute.run('conditionalMoments', { factor: triangle, pivots, columns, moments: conditional });
    const round = () =>
      this.#compute.run('roundWithFeedback', {
        source: weights,
        sourceScheme: SCHEMES.F32.ggmlType,
        sourceRowBytes: 4 * columns,
        target: y,
        targetScheme: SCHEMES[scheme].ggmlType,
        targetRowBytes: schemeBytes(scheme, columns),
        rows: sample,
        columns,
        importance: 0,
        factor: triangle,
        pivots,
        conditional,
        refits: 1,
      });
    const what = `rounding of ${name} ${rows}x${columns} to ${scheme}`;
    return this.#besideMatmul(what, rows, columns, (sample * columns ** 2) / 2, () => timed(round), 3);
  }

  async factors(size: number): Promise<Measurement> {
    const { triangle } = this.#places;
    const factor = async () => {
      const values = this.#compute.doubles(triangle, (size * (size + 1)) / 2);
      for (let i = 0, at = 0; i < size; i++) {
        for (let j = 0; j <= i; j++, at++) values[at] = i === j ? size : 1 / (1 + i - j);
      }
      const turns = new Turns(undefined);
      return timed(() => factorTriangle(this.#compute, { triangle, size, least: 1e-9 }, turns));
    };
    const rounds = size < WIDEST ? ROUNDS : 1;
    return this.#besideMatmul(`factors of ${size} columns`, 2048, size, size ** 3 / 6, factor, rounds);
  }

  async moments(size: number): Promise<Measurement> {
    const sum = () => timed(() => this.#sumMoments(size, TOKENS));
    const products = (TOKENS * size ** 2) / 2;
    return this.#besideMatmul(`second moments of ${size} columns`, 2048, size, products, sum, ROUNDS);
  }

  async sparseMoments(size: number, zeros: number): Promise<Measurement> {
    const sum = (share: number) => async () => {
      this.#fillBatch(share);
      return timed(() => this.#sumMoments(size, MOMENT_BATCH));
    };
    const { ours, baseline } = await mediansInTurn({ ours: sum(zeros), baseline: sum(0) }, 3);
    this.#fillBatch(0);
    const what = `second moments of ${size} columns, ${100 * zeros} % zeros`;
    return { what, ours, baseline, unit: `ms for ${MOMENT_BATCH} tokens, dense` };
  }

  /** Rates of both, from milliseconds for so many products, and of the same matrix by the runtime. */
  async #besideMatmul(
    what: string,
    rows: number,
    columns: number,
    products: number,
    milliseconds: () => Promise<number>,
    rounds: number,
  ): Promise<Measurement> {
    const billions = (count: number, ms: number) => count / ms / 1e6;
    const { ours, baseline } = await mediansInTurn(
      {
        ours: async () => billions(products, await milliseconds()),
        baseline: async () =>
          billions(rows * columns * TOKENS, await timed(() => this.#multiply(rows, columns))),
      },
      rounds,
    );
    return { what, ours, baseline, unit: '10^9 products per second' };
  }

  #multiply(rows: number, columns: number): void {
    const { weights, x, y } = this.#places;
    const product = { weights, scheme: 'F32', rows, columns, x, y, tokens: TOKENS } as const;
    this.#compute.run('matmul', matrixProduct(product));
  }

  async #sumMoments(columns: number, tokens: number): Promise<void> {
    const { x, triangle, lists } = this.#places;
    const batch = { x, tokenStride: columns, columns, tokens, weight: 1, moments: triangle };
    await addSecondMoments(this.#compute, { ...batch, lists }, this.#turns);
  }

  /** Neighbours take over much of each other, others little: errors do not grow from column to column. */
  #fillFactor(columns: number): void {
    const factor = this.#compute.floats(this.#places.triangle, (columns * (columns - 1)) / 2);
    for (let k = 1, at = 0; k < columns; k++) {
      for (let j = 0; j < k; j++, at++) factor[at] = k - j < 4 ? 0.4 : 1e-3;
    }
  }

  #fillBatch(zeros: number): void {
    this.#fill(this.#places.x, MOMENT_BATCH * WIDEST, zeros);
  }

  #fill(at: Pointer, count: number, zeros: number): void {
    const next = uniform(count);
    const values = this.#compute.floats(at, count);
    for (let i = 0; i < count; i++) values[i] = next() < zeros ? 0 : 2 * next() - 1;
  }
}

async function timed(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
