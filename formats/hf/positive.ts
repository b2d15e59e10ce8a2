import type { JsonField } from '../../src/core/json/json-field.ts';

/**
 * Artifacts and kernels hold the numbers of a config in F32: beyond its largest number they would become
 * infinite, below its smallest normal one 0, at once or where a device flushes subnormal numbers.
 */
const MIN_F32 = 2 ** -126;
const MAX_F32 = (2 - 2 ** -23) * 2 ** 127;

/** A number above 0 that F32 holds, where there is a field. */
export function positive(field: JsonField | undefined): number | undefined {
  const value = field?.number();
  if (value !== undefined && !(value >= MIN_F32 && value <= MAX_F32)) {
    throw field!.unexpected('a positive number in the range of F32');
  }
  return value;
}
