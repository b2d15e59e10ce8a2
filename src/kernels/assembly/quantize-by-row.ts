import { count, pointer } from './job';
import { floatsOfRow } from './rows';
import { encodeQ8_0ByRow } from './schemes/q8_0';

export function quantizeByRow(fields: usize, scratch: usize, first: i32, end: i32): void {
  const source = pointer(fields, 0);
  const sourceScheme = count(fields, 1);
  const sourceRowBytes = pointer(fields, 2);
  const target = pointer(fields, 3);
  const targetRowBytes = pointer(fields, 4);
  const columns = count(fields, 6);
  for (let r = <usize>first; r < <usize>end; r++) {
    const row = floatsOfRow(sourceScheme, source + r * sourceRowBytes, scratch, columns);
    encodeQ8_0ByRow(row, target + r * targetRowBytes, columns);
  }
}
