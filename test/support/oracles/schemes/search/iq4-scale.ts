import { IQ4_VALUES } from '../../../../../src/schemes/iq4-values.ts';
import { extremeOf } from '../magnitude.ts';
import { NEGLIGIBLE } from './negligible.ts';

const { fround } = Math;

const TRIES = 7;
const MIDPOINTS = Float32Array.from({ length: 15 }, (_, i) => (IQ4_VALUES[i]! + IQ4_VALUES[i + 1]!) / 2);

/**
 * The code of the nearest value: how many midpoints it has reached. NaN reaches all, as in ggml's bisection.
 */
export function iq4Code(value: number): number {
  let code = 0;
  while (code < 15 && !(value < MIDPOINTS[code]!)) code++;
  return code;
}

/**
 * Finds the scale of a group for IQ4_VALUES among 16 tries that bring its extreme near one end of them, by
 * the weighted squared error. `quantize_row_iq4_nl_impl` of ggml-quants.c with ntry 7.
 */
export function fitIq4(x: Float32Array, first: number, weights: Float32Array): number {
  const extreme = extremeOf(x, first, weights.length);
  if (Math.abs(extreme) < NEGLIGIBLE) return 0;
  const smallest = IQ4_VALUES[0]!;
  project(x, first, weights, fround(1 / fround(-extreme / smallest)));
  let scale = sumQQ > 0 ? fround(sumXQ / sumQQ) : 0;
  let best = fround(scale * sumXQ);
  for (let step = -TRIES; step <= TRIES; step++) {
    project(x, first, weights, fround((smallest + step) / extreme));
    if (sumQQ > 0 && fround(sumXQ * sumXQ) > fround(best * sumQQ)) {
      scale = fround(sumXQ / sumQQ);
      best = fround(scale * sumXQ);
    }
  }
  return scale;
}

/** Sums of w q x and w q^2 that `project` found last. */
let sumXQ = 0;
let sumQQ = 0;

function project(x: Float32Array, first: number, weights: Float32Array, inverse: number): void {
  sumXQ = 0;
  sumQQ = 0;
  for (let i = 0; i < weights.length; i++) {
    const value = x[first + i]!;
    const q = IQ4_VALUES[iq4Code(fround(inverse * value))]!;
    const wq = fround(weights[i]! * q);
    sumXQ = fround(sumXQ + fround(wq * value));
    sumQQ = fround(sumQQ + fround(wq * q));
  }
}
