import { truncateToByte } from '../byte-casts.ts';
import type { OffsetFit } from './offset-scale.ts';

const { fround } = Math;
const FLT_MAX = (2 - 2 ** -23) * 2 ** 127;

/**
 * Spreads codes 0 .. largest over the range of the weights. `quantize_row_q4_1_ref` and `q5_1_ref` of
 * ggml-quants.c; a range that overflows leaves only zeros, so no code exceeds `largest`.
 */
export function fitRange(
  x: Float32Array,
  first: number,
  largest: number,
  codes: Uint8Array,
  fit: OffsetFit,
): void {
  let min = FLT_MAX;
  let max = -FLT_MAX;
  for (let i = first; i < first + codes.length; i++) {
    if (x[i]! < min) min = x[i]!;
    if (x[i]! > max) max = x[i]!;
  }
  fit.scale = fround(fround(max - min) / largest);
  fit.min = -min;
  const inverse = fit.scale === 0 ? 0 : fround(1 / fit.scale);
  for (let i = 0; i < codes.length; i++) {
    codes[i] = truncateToByte(fround(fround(fround(x[first + i]! - min) * inverse) + 0.5));
  }
}
