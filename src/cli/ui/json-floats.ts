import { invalidInput } from '../../core/errors.ts';

/**
 * Digits that suffice for some f32, and those that suffice for every f32 (FLT_DIG and FLT_DECIMAL_DIG of C).
 */
const FEW_DIGITS = 6;
const ALL_DIGITS = 9;

/** Numbers a piece: some hundred kilobytes of text. */
const PIECE = 1 << 14;

/**
 * A JSON array in pieces, every number in six to nine digits: the fewest of them that give back the same f32.
 */
export function* jsonFloats(values: Float32Array): Generator<string> {
  for (let start = 0; start < values.length; start += PIECE) {
    const numbers = Array.from(values.subarray(start, start + PIECE), shortest);
    yield `${start === 0 ? '[' : ', '}${numbers.join(', ')}`;
  }
  yield values.length === 0 ? '[]' : ']';
}

function shortest(value: number): string {
  if (!Number.isFinite(value)) throw invalidInput({ what: 'logit', got: value, expected: 'a finite number' });
  for (let digits = FEW_DIGITS; digits < ALL_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(ALL_DIGITS)));
}
