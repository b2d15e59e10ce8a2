import { BLOCK_BYTES, BLOCK_SIZE, SCALE } from '../../../core/scheme-constants/tq2_0';
import { splatHalf, storeHalf } from '../half';
import { largestMagnitude } from '../search/magnitude';
import { storeScaled } from './codes';
import { tritsOf } from './trits';

export function decodeTQ2_0(source: usize, target: usize, columns: i32): void {
  const mask = i8x16.splat(3);
  const one = i8x16.splat(1);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source + SCALE);
    for (let at: usize = 0; at < <usize>SCALE; at += 16) {
      let pairs = v128.load(source + at);
      const first = target + ((at >> 5) << 9) + ((at & 16) << 2);
      for (let k: usize = 0; k < 4; k++) {
        storeScaled(first + (k << 7), i8x16.sub(v128.and(pairs, mask), one), d);
        pairs = i16x8.shr_u(pairs, 2);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

export function encodeTQ2_0(source: usize, target: usize, columns: i32): void {
  const mask = i8x16.splat(3);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = largestMagnitude(source, BLOCK_SIZE);
    const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
    storeHalf(target + SCALE, d);
    for (let at: usize = 0; at < <usize>SCALE; at += 16) {
      const first = source + ((at >> 5) << 9) + ((at & 16) << 2);
      let pairs = i8x16.splat(0);
      for (let k: usize = 4; k-- > 0; ) {
        const trits = v128.and(tritsOf(first + (k << 7), inverse), mask);
        pairs = v128.or(i8x16.shl(pairs, 2), trits);
      }
      v128.store(target + at, pairs);
    }
    source += 1024;
    target += BLOCK_BYTES;
  }
}
