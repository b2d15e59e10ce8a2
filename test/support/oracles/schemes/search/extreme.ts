import { truncateToByte } from '../byte-casts.ts';
import { extremeOf } from '../magnitude.ts';

const { fround } = Math;

/**
 * The scale that gives the weight of largest magnitude the code 0 (-limit), so that it has the opposite sign
 * of that weight; codes 0 .. 2 limit - 1 of the others are rounded to nearest. `quantize_row_q4_0_ref` and
 * `q5_0_ref` of ggml-quants.c, which round with an int8_t.
 */
export function fitExtreme(x: Float32Array, first: number, limit: number, codes: Uint8Array): number {
  const scale = fround(extremeOf(x, first, codes.length) / -limit);
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  for (let i = 0; i < codes.length; i++) {
    const byte = truncateToByte(fround(fround(x[first + i]! * inverse) + (limit + 0.5)));
    codes[i] = Math.min(2 * limit - 1, (byte << 24) >> 24);
  }
  return scale;
}
