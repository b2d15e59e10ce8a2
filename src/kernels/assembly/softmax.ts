import { exponentiate, scaleBy } from './exponentials';
import { count, floatBytes, pointer } from './job';

export function softmax(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const tokenBytes = floatBytes(pointer(fields, 1));
  const columns = count(fields, 2);
  for (let t = <usize>first; t < <usize>end; t++) {
    const row = x + t * tokenBytes;
    scaleBy(row, columns, <f32>(1 / exponentiate(row, columns)));
  }
}
