import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Turns } from '../../../src/core/jobs/turns.ts';
import { triangleSize } from '../../../src/core/statistics.ts';
import { type Compute, openCompute, type Pointer } from '../../../src/kernels/compute.ts';
import { DESCENT_COLUMNS } from '../../../src/kernels/tiles.ts';
import { factorTriangle } from '../../../src/pipeline/algebra/factor-triangle.ts';
import { feedbackFactors } from '../../../src/pipeline/algebra/feedback-factors.ts';
import { gaussian } from '../../support/builders/samples.ts';
import { usePlainKernels } from '../../support/drivers/plain-kernels.ts';
import { assertEndsAtTurn } from '../../support/ends-at-turn.ts';
import { choleskyOf } from '../../support/oracles/cholesky.ts';

/** X X^T of a random X with half as many columns as rows, and a small diagonal. */
function singular(size: number): Float64Array[] {
  const next = gaussian(size);
  const x = Array.from({ length: size }, () => Float64Array.from({ length: size >> 1 }, next));
  return x.map((a, i) =>
    Float64Array.from(x, (b, j) => a.reduce((sum, value, k) => sum + value * b[k]!, i === j ? 0.1 : 0)),
  );
}

function packed(matrix: readonly Float64Array[]): Float64Array {
  return Float64Array.from(matrix.flatMap((row, i) => [...row.subarray(0, i + 1)]));
}

/** Runs `work` on a matrix in memory of its own, and copies `bytes` bytes behind the pointer that it returns. */
async function inMemory(
  matrix: readonly Float64Array[],
  threads: number,
  bytes: number,
  work: (compute: Compute, triangle: Pointer) => Promise<Pointer>,
): Promise<ArrayBuffer> {
  const values = packed(matrix);
  const compute = await openCompute({ threads, bytes: values.byteLength + bytes + 256 });
  const triangle = compute.alloc(values.byteLength);
  compute.doubles(triangle, values.length).set(values);
  const copy = Uint8Array.from(compute.bytes(await work(compute, triangle), bytes));
  await compute.close();
  return copy.buffer;
}

function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, share: number, what: string) {
  assert.equal(found.length, expected.length);
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let at = 0; at < expected.length; at++) {
    const isClose = Math.abs(found[at]! - expected[at]!) <= share * largest;
    assert.ok(isClose, `${what}, ${at}: ${found[at]}, ${expected[at]}`);
  }
}

it('factors all rows or the first, with the same bits on any number of threads and by the plain kernels', async (t) => {
  for (const [size, pivots] of [
    [1, 1],
    [7, 7],
    [130, 129],
    [300, 300],
    [430, 270],
    [20, 0],
  ] as const) {
    const matrix = singular(size);
    const factored = async (threads: number) => {
      const bytes = 4 * size * (size + 1);
      const result = await inMemory(matrix, threads, bytes, async (compute, triangle) => {
        await factorTriangle(compute, { triangle, size, pivots, least: 1e-12 }, new Turns(undefined));
        return triangle;
      });
      return new Float64Array(result);
    };
    const result = await factored(1);
    assert.deepEqual(await factored(2), result);
    assert.deepEqual(await factored(5), result);
    usePlainKernels(t);
    assert.deepEqual(await factored(1), result);
    t.mock.restoreAll();
    // Sums in another order; the condition is that of the small diagonal.
    assertClose(result, packed(choleskyOf(matrix, pivots)), 1e-8, `${size}, ${pivots}`);
  }
});

it('lifts pivots of which rounding leaves nothing', async () => {
  const ones = Array.from({ length: 3 }, () => new Float64Array(3).fill(1));
  const result = await inMemory(ones, 1, 48, async (compute, triangle) => {
    await factorTriangle(compute, { triangle, size: 3, least: 1e-4 }, new Turns(undefined));
    return triangle;
  });
  assert.deepEqual([...new Float64Array(result)], [1, 1, 0.01, 1, 0, 0.01]);
});

it('makes the factor that error feedback reads: H = (I + U) D (I + U)^T', async () => {
  for (const [size, columns] of [
    [1, 1],
    [37, 64],
    [150, 150],
  ] as const) {
    const matrix = singular(size);
    const reversed = matrix.map((row) => row.toReversed()).toReversed();
    const values = (columns * (columns - 1)) / 2;
    const made = async (threads: number) => {
      const bytes = 4 * (values + columns * (1 + DESCENT_COLUMNS));
      const result = await inMemory(reversed, threads, bytes, async (compute, triangle) => {
        const pivots = compute.alloc(bytes);
        compute.floats(pivots, bytes / 4).fill(7);
        const factor = pivots + 4 * columns;
        const places = { triangle, columns, pivots, factor, conditional: factor + 4 * values };
        await feedbackFactors(compute, { ...places, size, least: 1e-12 }, new Turns(undefined));
        return pivots;
      });
      return new Float32Array(result);
    };
    const result = await made(1);
    assert.deepEqual(await made(5), result);
    const pivots = result.subarray(0, columns);
    const factor = result.subarray(columns, columns + values);
    const u = (j: number, k: number) => (j === k ? 1 : j > k ? 0 : factor[(k * (k - 1)) / 2 + j]!);
    const product = matrix.map((_, i) =>
      matrix.map((_, j) => pivots.reduce((sum, pivot, k) => sum + u(i, k) * pivot * u(j, k), 0)),
    );
    assertClose(
      product.flat(),
      matrix.flatMap((row) => [...row]),
      1e-5,
      `${size}`,
    );
    assert.ok(factor.subarray((size * (size - 1)) / 2).every((value) => value === 0));
    assert.ok(pivots.subarray(size).every((value) => value === 0));
  }
});

it('gives what windows of columns cost once later columns make up for them', async () => {
  const size = 300;
  const matrix = singular(size);
  const reversed = matrix.map((row) => row.toReversed()).toReversed();
  const rows = size * DESCENT_COLUMNS;
  const bytes = 4 * (size + triangleSize(size - 1) + rows);
  const result = await inMemory(reversed, 2, bytes, async (compute, triangle) => {
    const pivots = compute.alloc(bytes);
    const factor = pivots + 4 * size;
    const conditional = factor + 4 * triangleSize(size - 1);
    const places = { triangle, columns: size, pivots, factor, conditional };
    await feedbackFactors(compute, { ...places, size, least: 1e-12 }, new Turns(undefined));
    return pivots;
  });
  const moments = new Float32Array(result).subarray(-rows);
  const window = (first: number, count: number) =>
    Array.from({ length: count }, (_, i) => [
      ...moments.subarray((first + i) * DESCENT_COLUMNS, (first + i) * DESCENT_COLUMNS + count),
    ]).flat();
  // The Schur complement, by elimination of the later columns in f64.
  const left = matrix.map((row) => row.slice());
  for (let k = size - 1; k >= DESCENT_COLUMNS; k--) {
    for (let i = 0; i < k; i++) {
      const share = left[i]![k]! / left[k]![k]!;
      for (let j = 0; j < k; j++) left[i]![j]! -= share * left[k]![j]!;
    }
  }
  const block = (rowsOf: readonly Float64Array[], first: number, end: number) =>
    rowsOf.slice(first, end).flatMap((row) => [...row.subarray(first, end)]);
  // The factor is f32.
  assertClose(window(0, DESCENT_COLUMNS), block(left, 0, DESCENT_COLUMNS), 1e-5, 'first');
  const rest = size - DESCENT_COLUMNS;
  assertClose(window(DESCENT_COLUMNS, rest), block(matrix, DESCENT_COLUMNS, size), 1e-5, 'last');
});

it('ends between two pieces of work', async (t) => {
  const matrix = singular(16);
  await inMemory(matrix, 1, 0, async (compute, triangle) => {
    const factor = (signal: AbortSignal) =>
      factorTriangle(compute, { triangle, size: 16, least: 1e-12 }, new Turns(signal));
    await assertEndsAtTurn(t, factor);
    return triangle;
  });
});
