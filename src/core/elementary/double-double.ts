/**
 * The unevaluated sum of two doubles, `low` at most half an ulp of `high`: some 106 bits (Dekker, "A
 * floating-point technique for extending the available precision", 1971).
 */
export interface DoubleDouble {
  readonly high: number;
  readonly low: number;
}

/** 2^27 + 1, which splits a double into halves of 26 bits. */
const SPLITTER = 134217729;

/** a + b, exactly. */
export function sum(a: number, b: number): DoubleDouble {
  const high = a + b;
  const share = high - a;
  return { high, low: a - (high - share) + (b - share) };
}

/** a b, exactly where nothing overflows. */
export function product(a: number, b: number): DoubleDouble {
  const high = a * b;
  const [a1, b1] = [upperHalf(a), upperHalf(b)];
  const [a2, b2] = [a - a1, b - b1];
  return { high, low: a1 * b1 - high + a1 * b2 + a2 * b1 + a2 * b2 };
}

function upperHalf(x: number): number {
  const split = SPLITTER * x;
  return split - (split - x);
}

export function add(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const { high, low } = sum(a.high, b.high);
  return sum(high, low + a.low + b.low);
}

export function multiply(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const { high, low } = product(a.high, b.high);
  return sum(high, low + a.high * b.low + a.low * b.high);
}

/** a / divisor, for a divisor that is a double. */
export function divide(a: DoubleDouble, divisor: number): DoubleDouble {
  const quotient = a.high / divisor;
  const back = product(quotient, divisor);
  return sum(quotient, (a.high - back.high - back.low + a.low) / divisor);
}
