import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCHEMES, type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { gaussian } from '../support/builders/samples.ts';

const ROWS = 150;

function gaussians(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, gaussian(seed));
}

interface Rounding {
  readonly weights: Float32Array;
  readonly factor: Float32Array;
  readonly pivots: Float32Array;
  readonly columns: number;
}

function roundingOf(columns: number): Rounding {
  return {
    columns,
    weights: gaussians(ROWS * columns, 31),
    factor: gaussians((columns * (columns - 1)) / 2, 32).map((value) => 0.04 * value),
    pivots: gaussians(columns, 33).map((value) => 0.1 + value * value),
  };
}

/** The weights as the kernel leaves them, decoded. */
async function rounded(
  scheme: SchemeName,
  { weights, factor, pivots, columns }: Rounding,
  refits: boolean,
  threads = 1,
): Promise<Float32Array> {
  const rowBytes = schemeBytes(scheme, columns);
  const compute = await openCompute({
    threads,
    bytes: 4 * weights.length + 2 * columns ** 2 + ROWS * rowBytes + 4096,
  });
  try {
    const put = (values: Float32Array) => {
      const pointer = compute.alloc(values.byteLength);
      compute.floats(pointer, values.length).set(values);
      return pointer;
    };
    const target = compute.alloc(ROWS * rowBytes);
    compute.run('roundWithFeedback', {
      source: put(weights),
      sourceScheme: SCHEMES.F32.ggmlType,
      sourceRowBytes: 4 * columns,
      target,
      targetScheme: SCHEMES[scheme].ggmlType,
      targetRowBytes: rowBytes,
      rows: ROWS,
      columns,
      importance: 0,
      factor: put(factor),
      pivots: refits ? put(pivots) : 0,
    });
    const values = new Float32Array(weights.length);
    decoderOf(scheme)(compute.bytes(target, ROWS * rowBytes), 0, values, 0, values.length);
    return values;
  } finally {
    await compute.close();
  }
}

/** By row: the sum of pivots times the squares of what rounding left of the first `count` columns, in f64. */
function losses(
  { weights, factor, pivots, columns }: Rounding,
  values: Float32Array,
  count: number,
): number[] {
  return Array.from({ length: ROWS }, (_, row) => {
    const error = (k: number) => weights[row * columns + k]! - values[row * columns + k]!;
    let loss = 0;
    for (let k = 0; k < count; k++) {
      let left = error(k);
      for (let j = 0; j < k; j++) left += factor[(k * (k - 1)) / 2 + j]! * error(j);
      loss += pivots[k]! * left * left;
    }
    return loss;
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('scales that are chosen again for their codes', () => {
  for (const scheme of (Object.keys(SCHEMES) as SchemeName[]).filter((name) => SCHEMES[name].hasGrid)) {
    const { groupSize } = SCHEMES[scheme];
    it(`of ${scheme} lose no more in any first group, and less in all`, async () => {
      const rounding = roundingOf(256);
      const [before, after] = [await rounded(scheme, rounding, false), await rounded(scheme, rounding, true)];
      const [old, now] = [before, after].map((values) => losses(rounding, values, groupSize)) as [
        number[],
        number[],
      ];
      // Residuals are f32 in the kernel.
      for (const [row, loss] of now.entries())
        assert.ok(loss <= old[row]! * (1 + 1e-4), `${row}: ${loss}, ${old[row]}`);
      assert.ok(sum(now) < 0.999 * sum(old), `${sum(now)} beside ${sum(old)}`);
      const all = (values: Float32Array) => sum(losses(rounding, values, rounding.columns));
      assert.ok(all(after) < all(before), `${all(after)} beside ${all(before)}`);
    });
  }

  it('are the same on any number of threads', async () => {
    const rounding = roundingOf(512);
    for (const scheme of ['Q4_K', 'Q6_K', 'Q5_1'] as const) {
      assert.deepEqual(await rounded(scheme, rounding, true, 3), await rounded(scheme, rounding, true, 1));
    }
  });
});
