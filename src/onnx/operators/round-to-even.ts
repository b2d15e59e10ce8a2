/** Adding 1.5 * 2^52 leaves no bits behind the point, and rounds as IEEE 754 does. */
const NO_FRACTION = 1.5 * 2 ** 52;

/** The nearest integer of a value below 2^51, the even one of two. */
export function roundToEven(value: number): number {
  return value + NO_FRACTION - NO_FRACTION;
}
