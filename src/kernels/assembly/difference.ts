import { count, floatBytes, pointer } from './job';
import { floatsOfRow } from './rows';

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
  let squaredError: f64 = 0;
  let squares: f64 = 0;
  let largest: f64 = 0;
  let notFinite: f64 = 0;
  for (let c: usize = 0; c < floatBytes(columns); c += 4) {
    const left = <f64>load<f32>(a + c);
    const right = <f64>load<f32>(b + c);
    const error = left - right;
    squaredError += error * error;
    squares += left * left;
    largest = max<f64>(largest, abs<f64>(error));
    if (!(abs<f64>(right) < Infinity)) notFinite += 1;
  }
  store<f64>(out, squaredError);
  store<f64>(out, squares, 8);
  store<f64>(out, largest, 16);
  store<f64>(out, notFinite, 24);
}
