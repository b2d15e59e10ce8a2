import { exp } from '../../core/elementary/exp.ts';
import { log } from '../../core/elementary/log.ts';
import type { Tensor } from '../../core/tensor.ts';
import { rewriteRows } from './float-rows.ts';

/** Finds factors when they are first needed. */
export type Scales = (signal?: AbortSignal) => Promise<Float32Array>;

/** Every column times its factor. */
export function scaleColumns(tensor: Tensor, scales: Scales): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const factors = await scales(signal);
    return (values) => {
      for (let i = 0; i < values.length; i++) values[i]! *= factors[i]!;
    };
  });
}

/** Every row times its factor. */
export function scaleRows(tensor: Tensor, scales: Scales): Tensor {
  return rewriteRows(tensor, async (signal) => {
    const factors = await scales(signal);
    return (values, row) => {
      for (let i = 0; i < values.length; i++) values[i]! *= factors[row]!;
    };
  });
}

/** (square / geometric mean of squares)^exponent for each of `squares`. Zeros keep 1 and do not count. */
export function balancingScales(squares: ArrayLike<number>, exponent: number): Float32Array {
  const all = Float64Array.from(squares);
  const used = all.filter((square) => square > 0);
  const meanLog = used.reduce((sum, square) => sum + log(square), 0) / Math.max(1, used.length);
  return Float32Array.from(all, (square) => (square > 0 ? exp(exponent * (log(square) - meanLog)) : 1));
}
