import { count, floatBytes, pointer } from './job';
import { decodeRow } from './rows';

export function embed(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const weights = pointer(fields, 0);
  const scheme = count(fields, 1);
  const rowBytes = pointer(fields, 2);
  const columns = count(fields, 3);
  const ids = pointer(fields, 4);
  const y = pointer(fields, 5);
  const yTokenBytes = floatBytes(pointer(fields, 6));
  for (let t = <usize>first; t < <usize>end; t++) {
    const id = <usize>load<i32>(ids + (t << 2));
    decodeRow(scheme, weights + id * rowBytes, y + t * yTokenBytes, columns);
  }
}
