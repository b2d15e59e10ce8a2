import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Turns } from '../../src/core/jobs/turns.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { factor } from '../../src/passes/rounding/cholesky.ts';
import { factorTriangle } from '../../src/pipeline/writing/factor-triangle.ts';
import { gaussian } from '../support/builders/samples.ts';
import { usePlainKernels } from '../support/drivers/plain-kernels.ts';
import { assertEndsAtTurn } from '../support/ends-at-turn.ts';

/** X X^T of a random X with half as many columns as rows, and a small diagonal. */
function singular(size: number): Float64Array {
  const next = gaussian(size);
  const x = Array.from({ length: size }, () => Float64Array.from({ length: size >> 1 }, next));
  return Float64Array.from(
    x.flatMap((a, i) =>
      Array.from({ length: i + 1 }, (_, j) =>
        a.reduce((sum, value, k) => sum + value * x[j]![k]!, i === j ? 0.1 : 0),
      ),
    ),
  );
}

it('factors with the same bits on any number of threads and by the plain kernels', async (t) => {
  for (const size of [1, 7, 8, 130, 300]) {
    const matrix = singular(size);
    const expected = matrix.slice();
    await factor(expected, size, 1e-12);
    const factored = async (threads: number) => {
      const compute = await openCompute({ threads, bytes: matrix.byteLength + 64 });
      const triangle = compute.alloc(matrix.byteLength);
      compute.doubles(triangle, matrix.length).set(matrix);
      await factorTriangle(compute, triangle, size, 1e-12, new Turns(undefined));
      const result = compute.doubles(triangle, matrix.length).slice();
      await compute.close();
      return result;
    };
    const result = await factored(1);
    assert.deepEqual(await factored(3), result);
    usePlainKernels(t);
    assert.deepEqual(await factored(1), result);
    t.mock.restoreAll();
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // Sums in another order; the condition is that of the small diagonal.
    for (const [at, value] of expected.entries()) {
      assert.ok(Math.abs(result[at]! - value) <= 1e-8 * largest, `${size}, ${at}: ${result[at]}, ${value}`);
    }
  }
});

it('ends between two rows', async (t) => {
  const matrix = singular(16);
  const compute = await openCompute({ threads: 1, bytes: matrix.byteLength + 64 });
  const triangle = compute.alloc(matrix.byteLength);
  await assertEndsAtTurn(t, (signal) => factorTriangle(compute, triangle, 16, 1e-12, new Turns(signal)));
  await compute.close();
});
