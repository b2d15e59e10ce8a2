/** FLT_MAX, where ggml's search of a range begins, so that infinities may stay outside of it. */
const LARGEST: f32 = reinterpret<f32>(0x7f7fffff);

/** The least of 32 weights, NaNs passed over; of zeros the first, whose sign is stored. */
export function smallestOf(x: usize): f32 {
  let m = f32x4.splat(LARGEST);
  for (let i: usize = 0; i < 128; i += 16) m = f32x4.pmin(m, v128.load(x + i));
  m = f32x4.pmin(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmin(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  const smallest = f32x4.extract_lane(m, 0);
  if (smallest !== 0) return smallest;
  while (load<f32>(x) !== 0) x += 4;
  return load<f32>(x);
}

/** The largest of 32 weights, NaNs passed over. */
export function largestOf(x: usize): f32 {
  let m = f32x4.splat(-LARGEST);
  for (let i: usize = 0; i < 128; i += 16) m = f32x4.pmax(m, v128.load(x + i));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  return f32x4.extract_lane(m, 0);
}
