import { addFourScaled, addScaled } from './add-scaled';
import { dot } from './dot';
import { floatBytes } from './job';

/** scores[s] = scale times the dot product of the query with key s. */
export function storeScores(
  scores: usize,
  query: usize,
  key: usize,
  keyBytes: usize,
  keyDim: i32,
  length: i32,
  scale: f32,
): void {
  for (let s = 0; s < length; s++) {
    store<f32>(scores + floatBytes(s), scale * dot(query, key, keyDim));
    key += keyBytes;
  }
}

/** target = sum of factor times row, in ascending order. */
export function sumScaled(
  target: usize,
  columns: i32,
  factors: usize,
  row: usize,
  rowBytes: usize,
  length: i32,
): void {
  memory.fill(target, 0, floatBytes(columns));
  let s = 0;
  for (; s + 4 <= length; s += 4) {
    const a = factors + floatBytes(s);
    addFourScaled(
      target,
      columns,
      load<f32>(a),
      load<f32>(a, 4),
      load<f32>(a, 8),
      load<f32>(a, 12),
      row,
      row + rowBytes,
      row + 2 * rowBytes,
      row + 3 * rowBytes,
    );
    row += 4 * rowBytes;
  }
  for (; s < length; s++) {
    addScaled(target, columns, load<f32>(factors + floatBytes(s)), row);
    row += rowBytes;
  }
}
