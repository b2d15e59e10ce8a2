import { count, floatBytes, pointer } from './job';
import { loadPartial, storePartial } from './vector';

export function reluSquared(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  const whole = floatBytes(columns & ~3);
  const rest = columns & 3;
  for (let t = <usize>first; t < <usize>end; t++) {
    const row = x + t * tokenBytes;
    for (let c: usize = 0; c < whole; c += 16) v128.store(row + c, squareOfPositive(v128.load(row + c)));
    if (rest !== 0) storePartial(row + whole, squareOfPositive(loadPartial(row + whole, rest)), rest);
  }
}

function squareOfPositive(v: v128): v128 {
  const positive = f32x4.max(v, f32x4.splat(0));
  return f32x4.mul(positive, positive);
}
