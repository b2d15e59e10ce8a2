import { loadPartial, sumLanes } from './vector';

/** Dot product of `columns` floats: four partial sums over c mod 4, a short last group padded with zeros. */
export function dot(a: usize, b: usize, columns: i32): f32 {
  let sum = f32x4.splat(0);
  const end = a + ((<usize>(columns & ~3)) << 2);
  while (a < end) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
  }
  const rest = columns & 3;
  if (rest !== 0) sum = f32x4.add(sum, f32x4.mul(loadPartial(a, rest), loadPartial(b, rest)));
  return sumLanes(sum);
}
