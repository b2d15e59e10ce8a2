const VALUE = new Float64Array(1);
const WORDS = new Int32Array(VALUE.buffer);
/** Which half of a double holds the exponent. */
const HIGH_WORD = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** 2^exponent, exactly, for normal numbers: -1022 to 1023. */
export function powerOfTwo(exponent: number): number {
  WORDS[1 - HIGH_WORD] = 0;
  WORDS[HIGH_WORD] = (exponent + 1023) << 20;
  return VALUE[0]!;
}

/** value 2^exponent for values near 1 and exponents from -1075 to 1024, rounded once. */
export function scaled(value: number, exponent: number): number {
  // The first product is exact, since it is a normal number.
  const near = Math.max(-1000, Math.min(1000, exponent));
  return value * powerOfTwo(near) * powerOfTwo(exponent - near);
}

/** floor(log2(value)) of a normal number above zero. */
export function exponentOf(value: number): number {
  VALUE[0] = value;
  return (WORDS[HIGH_WORD]! >>> 20) - 1023;
}

/** Of normal numbers above zero. */
export function isPowerOfTwo(value: number): boolean {
  return powerOfTwo(exponentOf(value)) === value;
}
