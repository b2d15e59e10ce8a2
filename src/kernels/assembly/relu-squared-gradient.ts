import { count, floatBytes, pointer } from './job';
import { loadPartial, storePartial } from './vector';

export function reluSquaredGradient(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const y = pointer(fields, 0);
  const yTokenBytes = floatBytes(pointer(fields, 1));
  const g = pointer(fields, 2);
  const gTokenBytes = floatBytes(pointer(fields, 3));
  const columns = count(fields, 4);
  const whole = floatBytes(columns & ~3);
  const rest = columns & 3;
  for (let t = <usize>first; t < <usize>end; t++) {
    const values = y + t * yTokenBytes;
    const row = g + t * gTokenBytes;
    for (let c: usize = 0; c < whole; c += 16) {
      v128.store(row + c, timesSlope(v128.load(row + c), v128.load(values + c)));
    }
    if (rest === 0) continue;
    const last = timesSlope(loadPartial(row + whole, rest), loadPartial(values + whole, rest));
    storePartial(row + whole, last, rest);
  }
}

/** The slope of u^2 is 2 u, and u the root of what is known. */
function timesSlope(g: v128, y: v128): v128 {
  const u = f32x4.sqrt(y);
  return f32x4.mul(g, f32x4.add(u, u));
}
