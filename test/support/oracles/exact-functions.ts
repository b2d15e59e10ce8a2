/**
 * Elementary functions in fixed-point arithmetic on integers, 300 bits behind the point: slow, and nothing
 * shared with the code under test.
 */
const BITS = 300n;
const ONE = 1n << BITS;

/** A double as a fixed-point number; those that are smaller than 2^-300 become zero. */
function fixed(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 2047n;
  const fraction = (bits & ((1n << 52n) - 1n)) | (exponent === 0n ? 0n : 1n << 52n);
  const shift = BITS + (exponent === 0n ? 1n : exponent) - 1075n;
  const magnitude = shift >= 0n ? fraction << shift : fraction >> -shift;
  return x < 0 ? -magnitude : magnitude;
}

const times = (a: bigint, b: bigint) => (a * b) >> BITS;
const over = (a: bigint, b: bigint) => (a << BITS) / b;

/**
 * The double nearest to a fixed-point number, and the distance of `got` from that number in units of its last
 * place.
 */
function distance(got: number, exact: bigint): number {
  const magnitude = exact < 0n ? -exact : exact;
  const bits = BigInt(magnitude.toString(2).length);
  const ulp = bits > 53n ? 1n << (bits - 53n) : 1n;
  const off = fixed(got) - exact;
  // A thousandth of an ulp is enough to tell.
  return Number(((off < 0n ? -off : off) * 1000n) / ulp) / 1000;
}

function fixedExp(x: bigint): bigint {
  // e^x = (e^(x / 2^k))^(2^k), whose series needs few terms.
  const k = 20n;
  const small = x >> k;
  let term = ONE;
  let sum = ONE;
  for (let n = 1n; term !== 0n && n < 40n; n++) sum += term = times(term, small) / n;
  for (let i = 0n; i < k; i++) sum = times(sum, sum);
  return sum;
}

/** By Newton's steps on e^y = x, each of which doubles the digits. */
function fixedLog(x: bigint, guess: number): bigint {
  let y = fixed(guess);
  for (let step = 0; step < 4; step++) y += over(x, fixedExp(y)) - ONE;
  return y;
}

/** pi by Machin's formula. */
function fixedPi(): bigint {
  const arctangentOfInverse = (n: bigint) => {
    let power = ONE / n;
    let sum = power;
    for (let k = 1n; power !== 0n; k++) {
      power /= -n * n;
      sum += power / (2n * k + 1n);
    }
    return sum;
  };
  return 16n * arctangentOfInverse(5n) - 4n * arctangentOfInverse(239n);
}

const PI = fixedPi();

function fixedSin(x: bigint): bigint {
  let rest = x % (2n * PI);
  if (rest > PI) rest -= 2n * PI;
  let term = rest;
  let sum = rest;
  for (let n = 2n; term !== 0n && n < 400n; n += 2n) {
    term = -times(times(term, rest), rest) / (n * (n + 1n));
    sum += term;
  }
  return sum;
}

/** How far `got` is from the true value, in units of the last place; for results that 300 bits hold. */
export const ulps = {
  exp: (x: number, got: number) => distance(got, fixedExp(fixed(x))),
  log: (x: number, got: number) => distance(got, fixedLog(fixed(x), Math.log(x))),
  sin: (x: number, got: number) => distance(got, fixedSin(fixed(x))),
  cos: (x: number, got: number) => distance(got, fixedSin(fixed(x) + PI / 2n)),
  power: (base: number, exponent: number, got: number) =>
    distance(got, fixedExp(times(fixed(exponent), fixedLog(fixed(base), Math.log(base))))),
};
