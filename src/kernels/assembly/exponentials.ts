import { expNegative } from './exp';
import { floatBytes } from './job';

/** Turns scores into e^(score - largest); returns their sum. */
export function exponentiate(scores: usize, length: i32): f64 {
  const end = scores + floatBytes(length);
  let largest: f32 = -Infinity;
  for (let p = scores; p < end; p += 4) largest = max<f32>(largest, load<f32>(p));
  let sum: f64 = 0;
  for (let p = scores; p < end; p += 4) {
    const weight = expNegative(<f64>(load<f32>(p) - largest));
    store<f32>(p, weight);
    sum += <f64>weight;
  }
  return sum;
}

/** Multiplies `columns` floats by one. */
export function scaleBy(x: usize, columns: i32, factor: f32): void {
  for (let c: usize = 0; c < floatBytes(columns); c += 4) store<f32>(x + c, load<f32>(x + c) * factor);
}
