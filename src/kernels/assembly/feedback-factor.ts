/** Where the coefficients of column k of a factor of error feedback lie: rows before it have 0, 1, … k - 1. */
export function factorRow(factor: usize, k: i32): usize {
  return factor + ((<usize>((<i64>k * <i64>(k - 1)) >> 1)) << 2);
}
