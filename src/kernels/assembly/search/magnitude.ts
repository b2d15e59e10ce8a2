/**
 * The first weight of the largest magnitude among `count` (a multiple of 4, at most 32). `pmax` passes NaNs
 * over, as ggml's comparison does.
 */
export function extremeOf(x: usize, count: i32): f32 {
  const end = (<usize>count) << 2;
  let m = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(x + i)));
  m = largestLane(m);
  const opposite = f32x4.neg(m);
  let isMax: u32 = 0;
  let isMin: u32 = 0;
  for (let i: usize = 0; i < end; i += 16) {
    const v = v128.load(x + i);
    isMax |= (<u32>i32x4.bitmask(f32x4.eq(v, m))) << (<u32>i >> 2);
    isMin |= (<u32>i32x4.bitmask(f32x4.eq(v, opposite))) << (<u32>i >> 2);
  }
  const largest = f32x4.extract_lane(m, 0);
  return ctz(isMax) <= ctz(isMin) ? largest : -largest;
}

/** max |x| of `count` weights, a multiple of 32. */
export function largestMagnitude(x: usize, count: i32): f32 {
  const end = (<usize>count) << 2;
  let m = f32x4.splat(0);
  for (let i: usize = 0; i < end; i += 128) {
    const p = x + i;
    const a = f32x4.max(f32x4.abs(v128.load(p)), f32x4.abs(v128.load(p, 16)));
    const b = f32x4.max(f32x4.abs(v128.load(p, 32)), f32x4.abs(v128.load(p, 48)));
    const c = f32x4.max(f32x4.abs(v128.load(p, 64)), f32x4.abs(v128.load(p, 80)));
    const d = f32x4.max(f32x4.abs(v128.load(p, 96)), f32x4.abs(v128.load(p, 112)));
    m = f32x4.max(m, f32x4.max(f32x4.max(a, b), f32x4.max(c, d)));
  }
  m = f32x4.max(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.max(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  const largest = f32x4.extract_lane(m, 0);
  // False for NaN only.
  return largest <= Infinity ? largest : largestAfterNaN(x, end);
}

/** ggml compares in order and forgets what came before a NaN. */
function largestAfterNaN(x: usize, end: usize): f32 {
  let largest: f32 = 0;
  for (let i: usize = 0; i < end; i += 4) {
    const magnitude = abs<f32>(load<f32>(x + i));
    if (!(largest > magnitude)) largest = magnitude;
  }
  return largest;
}

/** The largest of four numbers in all lanes. */
function largestLane(v: v128): v128 {
  const m = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
}
