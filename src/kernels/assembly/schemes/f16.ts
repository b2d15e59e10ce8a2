import { halfBits, halfToFloat, loadHalf, storeHalf } from '../half';

export function decodeF16(source: usize, target: usize, columns: i32): void {
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    v128.store(target + ((<usize>c) << 2), halfToFloat(v128.load_ext<u16>(source + ((<usize>c) << 1))));
  }
  for (; c < columns; c++) store<f32>(target + ((<usize>c) << 2), loadHalf(source + ((<usize>c) << 1)));
}

export function encodeF16(source: usize, target: usize, columns: i32): void {
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    const halves = halfBits(v128.load(source + ((<usize>c) << 2)));
    v128.store64_lane(target + ((<usize>c) << 1), i16x8.narrow_i32x4_u(halves, halves), 0);
  }
  for (; c < columns; c++) storeHalf(target + ((<usize>c) << 1), load<f32>(source + ((<usize>c) << 2)));
}
