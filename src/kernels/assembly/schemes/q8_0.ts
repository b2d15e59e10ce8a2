import { splatHalf, storeHalf } from '../half';
import { packBytes, storeScaled, truncateToByte } from './codes';

const BLOCK_SIZE: i32 = 32;
const BLOCK_BYTES: usize = 34;

export function decodeQ8_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = splatHalf(source);
    storeScaled(target, v128.load(source, 2), d);
    storeScaled(target + 64, v128.load(source, 18), d);
    source += BLOCK_BYTES;
    target += 128;
  }
}

export function encodeQ8_0(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeBlock(source, target);
    source += 128;
    target += BLOCK_BYTES;
  }
}

function encodeBlock(x: usize, block: usize): void {
  const largest = largestMagnitude(x);
  const d = largest / 127;
  const inverse = f32x4.splat(d === 0 ? 0 : 1 / d);
  storeHalf(block, d);
  v128.store(block, codes(x, inverse), 2);
  v128.store(block, codes(x + 64, inverse), 18);
}

function codes(x: usize, inverse: v128): v128 {
  return packBytes(
    code(v128.load(x), inverse),
    code(v128.load(x, 16), inverse),
    code(v128.load(x, 32), inverse),
    code(v128.load(x, 48), inverse),
  );
}

/** Rounds x * inverse half away from zero: what was cut off decides, for it is exact. */
function code(x: v128, inverse: v128): v128 {
  const scaled = f32x4.mul(x, inverse);
  const whole = f32x4.trunc(scaled);
  const rest = f32x4.sub(scaled, whole);
  const away = f32x4.ge(f32x4.abs(rest), f32x4.splat(0.5));
  const sign = v128.and(scaled, i32x4.splat(0x80000000));
  const one = v128.or(v128.and(away, f32x4.splat(1)), sign);
  return truncateToByte(f32x4.add(whole, one));
}

function largestMagnitude(x: usize): f32 {
  const a = f32x4.max(f32x4.abs(v128.load(x)), f32x4.abs(v128.load(x, 16)));
  const b = f32x4.max(f32x4.abs(v128.load(x, 32)), f32x4.abs(v128.load(x, 48)));
  const c = f32x4.max(f32x4.abs(v128.load(x, 64)), f32x4.abs(v128.load(x, 80)));
  const d = f32x4.max(f32x4.abs(v128.load(x, 96)), f32x4.abs(v128.load(x, 112)));
  let m = f32x4.max(f32x4.max(a, b), f32x4.max(c, d));
  m = f32x4.max(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.max(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  const largest = f32x4.extract_lane(m, 0);
  // False for NaN only.
  return largest <= Infinity ? largest : largestAfterNaN(x);
}

/** ggml compares in order and forgets what came before a NaN. */
function largestAfterNaN(x: usize): f32 {
  let largest: f32 = 0;
  for (let i: usize = 0; i < 128; i += 4) {
    const magnitude = abs<f32>(load<f32>(x + i));
    if (!(largest > magnitude)) largest = magnitude;
  }
  return largest;
}
