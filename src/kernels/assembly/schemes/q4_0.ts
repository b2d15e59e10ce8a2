import { splatHalf, storeHalf } from '../half';
import { packBytes, storeScaled, truncateToByte } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 18;

export function decodeQ4_0(source: usize, target: usize, columns: i32): void {
  const eight = i8x16.splat(8);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    const pairs = v128.load(source, 2);
    storeScaled(target, i8x16.sub(v128.and(pairs, i8x16.splat(15)), eight), d);
    storeScaled(target + 64, i8x16.sub(i8x16.shr_u(pairs, 4), eight), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ4_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeBlock(source, target);
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodeBlock(x: usize, block: usize): void {
  const d = extreme(x) / -8;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block, d);
  v128.store(block, v128.or(codes(x, inverse), i8x16.shl(codes(x + 64, inverse), 4)), 2);
}

function codes(x: usize, inverse: v128): v128 {
  const bytes = packBytes(
    code(v128.load(x), inverse),
    code(v128.load(x, 16), inverse),
    code(v128.load(x, 32), inverse),
    code(v128.load(x, 48), inverse),
  );
  // The bytes are signed: 16, the code of the opposite of the extreme, becomes 15.
  return i8x16.min_s(bytes, i8x16.splat(15));
}

function code(x: v128, inverse: v128): v128 {
  return truncateToByte(f32x4.add(f32x4.mul(x, inverse), f32x4.splat(8.5)));
}

/** The first weight of the largest magnitude. `pmax` passes NaNs over, as ggml's comparison does. */
function extreme(x: usize): f32 {
  let m = f32x4.splat(0);
  for (let i: usize = 0; i < 128; i += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(x + i)));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  const opposite = f32x4.neg(m);
  let isMax: u32 = 0;
  let isMin: u32 = 0;
  for (let i: usize = 0; i < 8; i++) {
    const v = v128.load(x + (i << 4));
    isMax |= (<u32>i32x4.bitmask(f32x4.eq(v, m))) << ((<u32>i) << 2);
    isMin |= (<u32>i32x4.bitmask(f32x4.eq(v, opposite))) << ((<u32>i) << 2);
  }
  const largest = f32x4.extract_lane(m, 0);
  return ctz(isMax) <= ctz(isMin) ? largest : -largest;
}
