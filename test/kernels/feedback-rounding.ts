import { SCHEMES, type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { openCompute } from '../../src/kernels/compute.ts';
import { DESCENT_COLUMNS } from '../../src/kernels/tiles.ts';
import { decoderOf } from '../../src/schemes/index.ts';
import { gaussians } from './cases.ts';

/** Weights and the factor of made-up second moments: a matrix of `ROWS` rows. */
export interface Rounding {
  readonly weights: Float32Array;
  readonly factor: Float32Array;
  readonly pivots: Float32Array;
  readonly columns: number;
}

export const ROWS = 150;

/** Of correlated columns: the larger `coupling`, the more one takes over from another. */
export function roundingOf(columns: number, coupling: number): Rounding {
  return {
    columns,
    weights: gaussians(ROWS * columns, 31),
    factor: gaussians((columns * (columns - 1)) / 2, 32).map((value) => coupling * value),
    pivots: gaussians(columns, 33).map((value) => 0.1 + value * value),
  };
}

export interface Levers {
  readonly refits?: boolean;
  readonly descends?: boolean;
  readonly threads?: number;
}

/** The weights as the kernel leaves them, decoded. */
export async function rounded(
  scheme: SchemeName,
  { weights, factor, pivots, columns }: Rounding,
  { refits = false, descends = false, threads = 1 }: Levers,
): Promise<Float32Array> {
  const rowBytes = schemeBytes(scheme, columns);
  const momentBytes = 4 * columns * DESCENT_COLUMNS;
  const compute = await openCompute({
    threads,
    bytes: weights.byteLength + 2 * columns ** 2 + momentBytes + ROWS * rowBytes + 4096,
  });
  try {
    const put = (values: Float32Array) => {
      const pointer = compute.alloc(values.byteLength);
      compute.floats(pointer, values.length).set(values);
      return pointer;
    };
    const target = compute.alloc(ROWS * rowBytes);
    const places = { factor: put(factor), pivots: put(pivots) };
    const moments = compute.alloc(momentBytes);
    compute.run('conditionalMoments', { ...places, columns, moments });
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
      ...places,
      conditional: descends ? moments : 0,
      refits: refits ? 1 : 0,
    });
    const values = new Float32Array(weights.length);
    decoderOf(scheme)(compute.bytes(target, ROWS * rowBytes), 0, values, 0, values.length);
    return values;
  } finally {
    await compute.close();
  }
}

/** By row: the sum of pivots times the squares of what rounding left of the first `count` columns, in f64. */
export function losses(
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
