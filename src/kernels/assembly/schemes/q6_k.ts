import { loadHalf, storeHalf } from '../half';
import { storeScaled } from './codes';

const BLOCK_SIZE: i32 = 256;
const BLOCK_BYTES: usize = 210;
const GROUPS: i32 = 16;
/** Byte offsets inside a block. */
const HIGH_BITS: usize = 128;
const GROUP_SCALES: usize = 192;
const SUPER_SCALE: usize = 208;
const NEGLIGIBLE: f32 = 1e-15;
/** Byte offsets in the encoder's scratch: codes of 256 weights, scales of 16 groups, sums of 20 tries. */
const CODES: usize = 0;
const SCALES: usize = 256;
const TRIES: usize = 320;

export function decodeQ6_K(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SUPER_SCALE);
    for (let half: usize = 0; half < 2; half++) {
      for (let lane: usize = 0; lane < 32; lane += 16) {
        const low = v128.load(source + 64 * half + lane);
        const next = v128.load(source + 64 * half + lane, 32);
        const high = v128.load(source + 32 * half + lane, HIGH_BITS);
        const scales = source + GROUP_SCALES + 8 * half + (lane >> 4);
        const first = target + ((128 * half + lane) << 2);
        const nibble = i8x16.splat(15);
        storeGroup(first, v128.and(low, nibble), high, d, scales);
        storeGroup(first + 128, v128.and(next, nibble), i8x16.shr_u(high, 2), d, scales + 2);
        storeGroup(first + 256, i8x16.shr_u(low, 4), i8x16.shr_u(high, 4), d, scales + 4);
        storeGroup(first + 384, i8x16.shr_u(next, 4), i8x16.shr_u(high, 6), d, scales + 6);
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

function storeGroup(target: usize, low: v128, high: v128, d: f32, scale: usize): void {
  const code = v128.or(low, i8x16.shl(v128.and(high, i8x16.splat(3)), 4));
  storeScaled(target, i8x16.sub(code, i8x16.splat(32)), f32x4.splat(d * <f32>load<i8>(scale)));
}

export function encodeQ6_K(source: usize, target: usize, columns: i32, scratch: usize): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    encodeBlock(source, target, scratch);
    source += 1024;
    target += BLOCK_BYTES;
  }
}

function encodeBlock(x: usize, block: usize, scratch: usize): void {
  let magnitude: f32 = 0;
  let extreme: f32 = 0;
  for (let group = 0; group < GROUPS; group++) {
    const scale = fitGroup(
      x + ((<usize>group) << 6),
      scratch + CODES + ((<usize>group) << 4),
      scratch + TRIES,
    );
    store<f32>(scratch + ((<usize>group) << 2), scale, SCALES);
    if (abs<f32>(scale) > magnitude) {
      magnitude = abs<f32>(scale);
      extreme = scale;
    }
  }
  if (magnitude < NEGLIGIBLE) {
    memory.fill(block, 0, BLOCK_BYTES);
    return;
  }
  const inverse: f32 = -128 / extreme;
  storeHalf(block + SUPER_SCALE, 1 / inverse);
  const d = loadHalf(block + SUPER_SCALE);
  for (let group = 0; group < GROUPS; group++) {
    const fitted = f32x4.splat(inverse * load<f32>(scratch + ((<usize>group) << 2), SCALES));
    const scale = <i8>min<i32>(127, i32x4.extract_lane(nearestInt(fitted), 0));
    store<i8>(block + <usize>group, scale, GROUP_SCALES);
    const step: f32 = d * <f32>scale;
    if (step !== 0) storeQuotients(x + ((<usize>group) << 6), step, scratch + CODES + ((<usize>group) << 4));
  }
  pack(scratch + CODES, block);
}

/**
 * Finds the scale of 16 weights among 19 tries and leaves their codes (offset by 32) at `codes`. The tries fill the
 * lanes of five vectors (one lane to spare), so that the sums of each keep their order.
 */
function fitGroup(x: usize, codes: usize, tries: usize): f32 {
  let magnitude: f32 = 0;
  let extreme: f32 = 0;
  for (let i: usize = 0; i < 64; i += 4) {
    const value = load<f32>(x + i);
    if (abs<f32>(value) > magnitude) {
      magnitude = abs<f32>(value);
      extreme = value;
    }
  }
  if (magnitude < NEGLIGIBLE) {
    v128.store(codes, i8x16.splat(0));
    return 0;
  }
  for (let quad = 0; quad < 5; quad++) tryFour(x, extreme, quad, tries + ((<usize>quad) << 5));

  // The plain scale -32 / extreme comes first, then -9 .. 9 tenths around it.
  let bestTry = 9;
  let sumXL = load<f32>(sumsOf(tries, 9));
  let sumLL = load<f32>(sumsOf(tries, 9), 16);
  let scale: f32 = sumLL === 0 ? 0 : sumXL / sumLL;
  let best: f32 = scale * sumXL;
  for (let index = 0; index < 19; index++) {
    if (index === 9) continue;
    sumXL = load<f32>(sumsOf(tries, index));
    sumLL = load<f32>(sumsOf(tries, index), 16);
    if (sumLL > 0 && sumXL * sumXL > best * sumLL) {
      scale = sumXL / sumLL;
      best = scale * sumXL;
      bestTry = index;
    }
  }
  storeProducts(x, inverseOf(bestTry, extreme), codes);
  return scale;
}

/** Where the sums of try 0..18 lie: four sums of w x l, then four of w l^2, for each four tries. */
function sumsOf(tries: usize, index: i32): usize {
  return tries + ((<usize>(index >> 2)) << 5) + ((<usize>(index & 3)) << 2);
}

/** Inverse scale of try 0..18; 9 is the middle, where 0.1 * 0 adds nothing. */
function inverseOf(index: i32, extreme: f32): f32 {
  return -(<f32>32 + <f32>0.1 * <f32>(index - 9)) / extreme;
}

function tryFour(x: usize, extreme: f32, quad: i32, sums: usize): void {
  let inverse = f32x4.splat(inverseOf(quad << 2, extreme));
  inverse = f32x4.replace_lane(inverse, 1, inverseOf((quad << 2) + 1, extreme));
  inverse = f32x4.replace_lane(inverse, 2, inverseOf((quad << 2) + 2, extreme));
  inverse = f32x4.replace_lane(inverse, 3, inverseOf((quad << 2) + 3, extreme));
  let sumXL = f32x4.splat(0);
  let sumLL = f32x4.splat(0);
  for (let i: usize = 0; i < 64; i += 4) {
    const value = v128.load32_splat(x + i);
    const code = f32x4.convert_i32x4_s(clampCode(nearestInt(f32x4.mul(inverse, value))));
    const weight = f32x4.mul(value, value);
    sumXL = f32x4.add(sumXL, f32x4.mul(f32x4.mul(weight, value), code));
    sumLL = f32x4.add(sumLL, f32x4.mul(f32x4.mul(weight, code), code));
  }
  v128.store(sums, sumXL);
  v128.store(sums, sumLL, 16);
}

/** Nearest integers, ties to even, below 2^22; outside of that the bits that ggml takes. */
function nearestInt(v: v128): v128 {
  const rounded = f32x4.add(v, f32x4.splat(12582912));
  return i32x4.sub(v128.and(rounded, i32x4.splat(0x7fffff)), i32x4.splat(0x400000));
}

function clampCode(code: v128): v128 {
  return i32x4.max_s(i32x4.min_s(code, i32x4.splat(31)), i32x4.splat(-32));
}

function storeProducts(x: usize, inverse: f32, codes: usize): void {
  const factor = f32x4.splat(inverse);
  for (let i: usize = 0; i < 16; i += 4) {
    storeCodes(codes + i, f32x4.mul(factor, v128.load(x + (i << 2))));
  }
}

function storeQuotients(x: usize, step: f32, codes: usize): void {
  const divisor = f32x4.splat(step);
  for (let i: usize = 0; i < 16; i += 4) {
    storeCodes(codes + i, f32x4.div(v128.load(x + (i << 2)), divisor));
  }
}

function storeCodes(codes: usize, scaled: v128): void {
  const shifted = i32x4.add(clampCode(nearestInt(scaled)), i32x4.splat(32));
  const words = i16x8.narrow_i32x4_u(shifted, shifted);
  v128.store32_lane(codes, i8x16.narrow_i16x8_u(words, words), 0);
}

function pack(codes: usize, block: usize): void {
  const nibble = i8x16.splat(15);
  for (let half: usize = 0; half < 2; half++) {
    for (let lane: usize = 0; lane < 32; lane += 16) {
      const first = codes + 128 * half + lane;
      const a = v128.load(first);
      const b = v128.load(first, 32);
      const c = v128.load(first, 64);
      const d = v128.load(first, 96);
      const low = block + 64 * half + lane;
      v128.store(low, v128.or(v128.and(a, nibble), i8x16.shl(c, 4)));
      v128.store(low, v128.or(v128.and(b, nibble), i8x16.shl(d, 4)), 32);
      const lowPairs = v128.or(i8x16.shr_u(a, 4), i8x16.shl(i8x16.shr_u(b, 4), 2));
      const highPairs = v128.or(i8x16.shl(i8x16.shr_u(c, 4), 4), i8x16.shl(i8x16.shr_u(d, 4), 6));
      v128.store(block + 32 * half + lane, v128.or(lowPairs, highPairs), HIGH_BITS);
    }
  }
}
