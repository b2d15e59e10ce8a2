import type { Dice } from '../../support/builders/dice.ts';

/** Ends of the types that counts, sizes and offsets are kept in. */
const BOUNDARIES: readonly bigint[] = [7n, 8n, 15n, 16n, 31n, 32n, 53n, 62n, 63n, 64n].flatMap((bits) => {
  const end = 1n << bits;
  return [end - 1n, end, end + 1n];
});

/** An integer that a careless reader trips over, or one close to `value`. */
export function hostileInteger(value: bigint, dice: Dice): bigint {
  switch (dice.below(8)) {
    case 0:
      return value + 1n;
    case 1:
      return value - 1n;
    case 2:
      return dice.pick([value * 2n, value / 2n, -value, value + 32n, value - 32n]);
    case 3:
      return 0n;
    case 4:
      return BigInt(dice.below(100));
    case 5:
      return -dice.pick(BOUNDARIES);
    default:
      return dice.pick(BOUNDARIES);
  }
}

/** Numbers as JSON spells them: what a double rounds, what it does not hold, and what is none. */
export const HOSTILE_NUMBERS: readonly string[] = [
  ...['0', '-0', '1', '-1', '0.5', '1.5', '-0.0', '1e-400', '1e400', '-1e400', '1e308', '5e-324', '1E2'],
  ...['9007199254740991', '9007199254740992', '9007199254740993', '18446744073709551615', '2147483648'],
  ...['4294967296', '100000', '16777217', '262145', '00', '01', '+1', '.5', '1.', 'NaN', 'Infinity', '0x10'],
];
