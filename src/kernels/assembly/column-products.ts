import { COLUMN_TILE } from '../tiles';
import { count, floatBytes, pointer, real } from './job';

export function columnProducts(fields: usize, _scratch: usize, first: i32, end: i32): void {
  const x = pointer(fields, 0);
  const xTokenBytes = floatBytes(pointer(fields, 1));
  const y = pointer(fields, 2);
  const yTokenBytes = floatBytes(pointer(fields, 3));
  const columns = count(fields, 4);
  const tokens = pointer(fields, 5);
  const weight = real(fields, 6);
  const sums = pointer(fields, 7);
  const from = <usize>first * COLUMN_TILE;
  const to = min<usize>(<usize>end * COLUMN_TILE, <usize>columns);
  for (let t: usize = 0; t < tokens; t++) {
    const a = x + t * xTokenBytes;
    const b = y + t * yTokenBytes;
    for (let c = from; c < to; c++) {
      const sum = sums + (c << 3);
      const product = <f64>load<f32>(a + (c << 2)) * <f64>load<f32>(b + (c << 2));
      store<f64>(sum, load<f64>(sum) + weight * product);
    }
  }
}
