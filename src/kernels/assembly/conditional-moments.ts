import { DESCENT_COLUMNS } from '../tiles';
import { addScaled } from './add-scaled';
import { factorRow } from './feedback-factor';
import { count, floatBytes, pointer } from './job';

const ROW_BYTES: usize = DESCENT_COLUMNS << 2;

export function conditionalMoments(fields: usize, _scratch: usize, firstTile: i32, end: i32): void {
  const factor = pointer(fields, 0);
  const pivots = pointer(fields, 1);
  const columns = count(fields, 2);
  const moments = pointer(fields, 3);
  for (let tile = firstTile; tile < end; tile++) {
    const first = tile * DESCENT_COLUMNS;
    const size = min<i32>(DESCENT_COLUMNS, columns - first);
    const window = moments + <usize>first * ROW_BYTES;
    memory.fill(window, 0, <usize>size * ROW_BYTES);
    for (let j = 0; j < size; j++) {
      const coefficients = factorRow(factor, first + j) + floatBytes(first);
      const pivot = load<f32>(pivots + floatBytes(first + j));
      for (let k = 0; k < j; k++) {
        const row = window + <usize>k * ROW_BYTES;
        const scaled: f32 = pivot * load<f32>(coefficients + floatBytes(k));
        addScaled(row + floatBytes(k), j - k, scaled, coefficients + floatBytes(k));
        store<f32>(row + floatBytes(j), scaled);
      }
      store<f32>(window + <usize>j * ROW_BYTES + floatBytes(j), pivot);
    }
    for (let i = 1; i < size; i++) {
      const row = window + <usize>i * ROW_BYTES;
      for (let k = 0; k < i; k++) {
        store<f32>(row + floatBytes(k), load<f32>(window + <usize>k * ROW_BYTES + floatBytes(i)));
      }
    }
  }
}
