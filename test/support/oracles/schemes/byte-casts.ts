/**
 * C's conversions of floats to a byte on x86, where infinities, NaN and what is outside of i32 come out as 0,
 * the low byte of 0x80000000. Denormal scales cause them.
 */

export function truncateToByte(value: number): number {
  return Math.abs(value) < 2 ** 31 ? Math.trunc(value) & 255 : 0;
}

/**
 * `roundf`, halves away from zero. The half is added in f64, where the sum of an f32 and 0.5 is exact for all
 * codes.
 */
export function roundToByte(value: number): number {
  return truncateToByte(value + (value < 0 ? -0.5 : 0.5));
}
