import { Turns } from '../../core/jobs/turns.ts';
import { triangleChannels, triangleSize } from '../../core/statistics.ts';
import { type Compute, openCompute, type Pointer } from '../../kernels/compute.ts';
import { matrixProduct } from '../../kernels/matrix-product.ts';
import { defaultThreads } from '../../kernels/threads.ts';
import type { Regress } from '../../passes/regression.ts';
import { factorTriangle, type Triangle } from './factor-triangle.ts';

/** Rows of W that are multiplied at once: few enough that they stay in the second cache. */
const BATCH = 128;
/** Values that are copied between two looks at the clock. */
const COPIED_VALUES = 1 << 20;
/** Rows that are transposed at once: a cache line of each column. */
const LINE = 16;
/** The part of the work that is done when the matrix is factored. */
const FACTORED_SHARE = 0.8;

/** Regressions on `threads` threads. Left out: as many as each is worth. */
export function regression(threads?: number): Regress {
  return async ({ triangle: moments, pivots, least, weights, onProgress }, signal) => {
    const size = triangleChannels(moments.length);
    const bytes = moments.byteLength + 4 * (pivots + BATCH) * (size - pivots) + 4 * BATCH * pivots + 256;
    const compute = await openCompute({
      threads: threads ?? defaultThreads([{ shape: [size, size] }]),
      bytes,
    });
    try {
      const turns = new Turns(signal);
      const triangle = compute.alloc(moments.byteLength);
      const shared = compute.doubles(triangle, moments.length);
      for (let at = 0; at < moments.length; at += COPIED_VALUES) {
        shared.set(moments.subarray(at, at + COPIED_VALUES), at);
        await turns.offer();
      }
      const advance = (share: number) => onProgress?.(FACTORED_SHARE * share);
      await factorTriangle(compute, { triangle, size, pivots, least, onProgress: advance }, turns);
      const behind = { firstRow: pivots, rows: size - pivots };
      await compute.runInTurns('substituteBack', { triangle, pivots, ...behind }, turns);
      const product = await multiply(compute, { triangle, size }, pivots, weights, turns);
      for (let i = pivots; i < size; i++) {
        const start = triangleSize(i);
        moments.set(shared.subarray(start + pivots, start + i + 1), start + pivots);
      }
      onProgress?.(1);
      return product;
    } finally {
      await compute.close();
    }
  };
}

/** W times the first `pivots` entries of the rows of a triangle from row `pivots` on. */
async function multiply(
  compute: Compute,
  { triangle, size }: Triangle,
  pivots: number,
  weights: Float32Array,
  turns: Turns,
): Promise<Float32Array> {
  const columns = size - pivots;
  const transposed = compute.alloc(4 * pivots * columns);
  await transpose(compute, triangle, pivots, columns, transposed, turns);
  const [x, y] = [compute.alloc(4 * BATCH * columns), compute.alloc(4 * BATCH * pivots)];
  const rows = columns === 0 ? 0 : weights.length / columns;
  const product = new Float32Array(rows * pivots);
  for (let row = 0; row < rows; row += BATCH) {
    const tokens = Math.min(BATCH, rows - row);
    compute.floats(x, tokens * columns).set(weights.subarray(row * columns, (row + tokens) * columns));
    const job = matrixProduct({ weights: transposed, scheme: 'F32', rows: pivots, columns, x, y, tokens });
    await compute.runInTurns('matmul', job, turns);
    product.set(compute.floats(y, tokens * pivots), row * pivots);
  }
  return product;
}

/** The first `pivots` entries of `rows` rows of a triangle from row `pivots` on, in f32, column after column. */
async function transpose(
  compute: Compute,
  triangle: Pointer,
  pivots: number,
  rows: number,
  into: Pointer,
  turns: Turns,
): Promise<void> {
  const target = compute.floats(into, pivots * rows);
  for (let r = 0; r < rows; r += LINE) {
    const lines = Array.from({ length: Math.min(LINE, rows - r) }, (_, line) => {
      const i = pivots + r + line;
      return compute.doubles(triangle + 8 * triangleSize(i), pivots);
    });
    for (let k = 0; k < pivots; k++) {
      for (let line = 0; line < lines.length; line++) target[k * rows + r + line] = lines[line]![k]!;
    }
    await turns.offer();
  }
}
