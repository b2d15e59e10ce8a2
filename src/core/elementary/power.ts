import { scaled } from './binary-exponent.ts';
import { add, type DoubleDouble, divide, multiply, product, sum } from './double-double.ts';
import { log } from './log.ts';

const LN2: DoubleDouble = { high: Math.LN2, low: 2.3190468138462996e-17 };
const ONE: DoubleDouble = { high: 1, low: 0 };
/** (ln 2 / 2)^28 / 28! is less than 2^-140. */
const TERMS = 28;

/**
 * base^exponent for a positive base and a result among the normal numbers. It is computed with some 100 bits
 * and rounded once, so that it is the double nearest to the true value in all but one of 2^40 cases.
 */
export function power(base: number, exponent: number): number {
  const { fraction, exponent: k } = expOf(multiply(logOf(base), { high: exponent, low: 0 }));
  return scaled(fraction.high, k);
}

/** e^x as fraction 2^exponent. */
function expOf(x: DoubleDouble): { readonly fraction: DoubleDouble; readonly exponent: number } {
  const exponent = Math.floor(x.high * Math.LOG2E + 0.5);
  const r = add(x, multiply(LN2, { high: -exponent, low: 0 }));
  let fraction = ONE;
  for (let n = TERMS; n > 0; n--) fraction = add(ONE, divide(multiply(r, fraction), n));
  return { fraction, exponent };
}

/**
 * ln x: one step of Newton from the double next to it, y + (x e^-y - 1), less the square that the step leaves
 * out.
 */
function logOf(x: number): DoubleDouble {
  const y = log(x);
  const { fraction, exponent } = expOf({ high: -y, low: 0 });
  const ratio = multiply(product(x, 1), fraction);
  const step = add(
    { high: scaled(ratio.high, exponent), low: scaled(ratio.low, exponent) },
    { high: -1, low: 0 },
  );
  return sum(y, step.high + step.low - (step.high * step.high) / 2);
}
