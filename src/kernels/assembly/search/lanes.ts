/**
 * Brings four groups of `count` floats that lie one behind the other into lanes: vector i holds number i of
 * each.
 */
export function toLanes(groups: usize, count: i32, target: usize): void {
  const stride = (<usize>count) << 2;
  for (let i: usize = 0; i < stride; i += 16) {
    const a = v128.load(groups + i);
    const b = v128.load(groups + stride + i);
    const c = v128.load(groups + 2 * stride + i);
    const d = v128.load(groups + 3 * stride + i);
    const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    const to = target + (i << 2);
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 2, 3, 6, 7), 16);
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5), 32);
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7), 48);
  }
}

/** Sum of `count` vectors, in order. */
export function sumOfLanes(vectors: usize, count: i32): v128 {
  let sum = f32x4.splat(0);
  const end = (<usize>count) << 4;
  for (let i: usize = 0; i < end; i += 16) sum = f32x4.add(sum, v128.load(vectors + i));
  return sum;
}
