import { addFourScaled, addScaled } from './add-scaled';
import { count, floatBytes, pointer } from './job';
import { floatsOfRow } from './rows';

export function matmulTransposed(fields: usize, scratch: usize, first: i32, end: i32): void {
  const weights = pointer(fields, 0);
  const scheme = count(fields, 1);
  const rowBytes = pointer(fields, 2);
  const rows = count(fields, 3);
  const columns = count(fields, 4);
  const weightsBatchBytes = pointer(fields, 6);
  const x = pointer(fields, 7);
  const xTokenBytes = floatBytes(pointer(fields, 8));
  const xBatchBytes = floatBytes(pointer(fields, 9));
  const y = pointer(fields, 10);
  const yTokenBytes = floatBytes(pointer(fields, 11));
  const yBatchBytes = floatBytes(pointer(fields, 12));
  const tokens = count(fields, 13);

  const rowFloats = floatBytes(columns);
  for (let b = <usize>first; b < <usize>end; b++) {
    const matrix = weights + b * weightsBatchBytes;
    const firstX = x + b * xBatchBytes;
    const firstY = y + b * yBatchBytes;
    for (let t = 0; t < tokens; t++) memory.fill(firstY + <usize>t * yTokenBytes, 0, rowFloats);

    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      const row = matrix + <usize>r * rowBytes;
      const w0 = floatsOfRow(scheme, row, scratch, columns);
      const w1 = floatsOfRow(scheme, row + rowBytes, scratch + rowFloats, columns);
      const w2 = floatsOfRow(scheme, row + 2 * rowBytes, scratch + 2 * rowFloats, columns);
      const w3 = floatsOfRow(scheme, row + 3 * rowBytes, scratch + 3 * rowFloats, columns);
      for (let t = 0; t < tokens; t++) {
        const a = firstX + <usize>t * xTokenBytes + floatBytes(r);
        addFourScaled(
          firstY + <usize>t * yTokenBytes,
          columns,
          load<f32>(a),
          load<f32>(a, 4),
          load<f32>(a, 8),
          load<f32>(a, 12),
          w0,
          w1,
          w2,
          w3,
        );
      }
    }
    for (; r < rows; r++) {
      const w = floatsOfRow(scheme, matrix + <usize>r * rowBytes, scratch, columns);
      for (let t = 0; t < tokens; t++) {
        const a = load<f32>(firstX + <usize>t * xTokenBytes + floatBytes(r));
        addScaled(firstY + <usize>t * yTokenBytes, columns, a, w);
      }
    }
  }
}
