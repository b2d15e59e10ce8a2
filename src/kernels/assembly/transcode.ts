import { count, floatBytes, pointer } from './job';
import { encodeRow, floatsOfRow } from './rows';

export function transcode(fields: usize, scratch: usize, first: i32, end: i32): void {
  const source = pointer(fields, 0);
  const sourceScheme = count(fields, 1);
  const sourceRowBytes = pointer(fields, 2);
  const target = pointer(fields, 3);
  const targetScheme = count(fields, 4);
  const targetRowBytes = pointer(fields, 5);
  const columns = count(fields, 7);
  const importance = pointer(fields, 8);
  for (let r = <usize>first; r < <usize>end; r++) {
    const from = source + r * sourceRowBytes;
    const to = target + r * targetRowBytes;
    if (sourceScheme === targetScheme) {
      memory.copy(to, from, sourceRowBytes);
    } else {
      const row = floatsOfRow(sourceScheme, from, scratch, columns);
      encodeRow(targetScheme, row, to, columns, scratch + floatBytes(columns), importance);
    }
  }
}
