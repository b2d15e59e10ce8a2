import { count, floatBytes, pointer } from './job';
import { loadPartial, storePartial } from './vector';

export function add(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const xTokenBytes = floatBytes(pointer(fields, 1));
  const y = pointer(fields, 2);
  const yTokenBytes = floatBytes(pointer(fields, 3));
  const columns = count(fields, 4);
  const whole = floatBytes(columns & ~3);
  const rest = columns & 3;
  for (let t = <usize>first; t < <usize>end; t++) {
    const from = x + t * xTokenBytes;
    const to = y + t * yTokenBytes;
    for (let c: usize = 0; c < whole; c += 16) {
      v128.store(to + c, f32x4.add(v128.load(to + c), v128.load(from + c)));
    }
    if (rest !== 0) {
      const sum = f32x4.add(loadPartial(to + whole, rest), loadPartial(from + whole, rest));
      storePartial(to + whole, sum, rest);
    }
  }
}
