import { count, floatBytes, pointer } from './job';
import { floatsOfRow } from './rows';
import { loadPartial } from './vector';

export function difference(fields: usize, scratch: usize, first: i32, end: i32): void {
  const a = pointer(fields, 0);
  const aScheme = count(fields, 1);
  const aRowBytes = pointer(fields, 2);
  const b = pointer(fields, 3);
  const bScheme = count(fields, 4);
  const bRowBytes = pointer(fields, 5);
  const columns = count(fields, 7);
  const out = pointer(fields, 8);
  for (let r = <usize>first; r < <usize>end; r++) {
    const rowA = floatsOfRow(aScheme, a + r * aRowBytes, scratch, columns);
    const rowB = floatsOfRow(bScheme, b + r * bRowBytes, scratch + floatBytes(columns), columns);
    compare(rowA, rowB, columns, out + (r << 5));
  }
}

function compare(a: usize, b: usize, columns: i32, out: usize): void {
  let errors = f64x2.splat(0);
  let errorsHigh = errors;
  let squares = errors;
  let squaresHigh = errors;
  let largest = errors;
  let notFinite = i32x4.splat(0);
  const whole = floatBytes(columns & ~3);
  const rest = columns & 3;
  const infinity = f32x4.splat(Infinity);
  for (let c: usize = 0; c < floatBytes(columns); c += 16) {
    // What a short row lacks is zero on both sides and changes no figure.
    const left = c < whole ? v128.load(a + c) : loadPartial(a + c, rest);
    const right = c < whole ? v128.load(b + c) : loadPartial(b + c, rest);
    const low = f64x2.promote_low_f32x4(left);
    const high = f64x2.promote_low_f32x4(upper(left));
    const error = f64x2.sub(low, f64x2.promote_low_f32x4(right));
    const errorHigh = f64x2.sub(high, f64x2.promote_low_f32x4(upper(right)));
    errors = f64x2.add(errors, f64x2.mul(error, error));
    errorsHigh = f64x2.add(errorsHigh, f64x2.mul(errorHigh, errorHigh));
    squares = f64x2.add(squares, f64x2.mul(low, low));
    squaresHigh = f64x2.add(squaresHigh, f64x2.mul(high, high));
    largest = f64x2.pmax(f64x2.pmax(largest, f64x2.abs(error)), f64x2.abs(errorHigh));
    // True is -1.
    const finite = f32x4.lt(f32x4.abs(right), infinity);
    notFinite = i32x4.add(notFinite, i32x4.add(finite, i32x4.splat(1)));
  }
  store<f64>(out, sum(errors) + sum(errorsHigh));
  store<f64>(out, sum(squares) + sum(squaresHigh), 8);
  store<f64>(out, max<f64>(f64x2.extract_lane(largest, 0), f64x2.extract_lane(largest, 1)), 16);
  store<f64>(out, <f64>sumOfInts(notFinite), 24);
}

function upper(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 2, 3, 2, 3);
}

function sum(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

function sumOfInts(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3)
  );
}
