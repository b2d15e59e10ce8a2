import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  GROUP_SCALES,
  GROUP_SIZE,
  SCALE,
} from '../../../core/scheme-constants/q6_k';
import { NEGLIGIBLE } from '../../../core/scheme-constants/search';
import { loadHalf, storeHalf } from '../half';
import { nearestInt } from '../search/nearest-int';
import { CODES, encodeSignedGroups, fitSignedGroups, SCALES, STEPS } from '../search/signed-groups';
import { setBitPair, setHalf, storeScaled } from './codes';

const GROUPS: usize = BLOCK_SIZE / GROUP_SIZE;

export function decodeQ6_K(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let half: usize = 0; half < 2; half++) {
      for (let lane: usize = 0; lane < 32; lane += 16) {
        const low = v128.load(source + 64 * half + lane);
        const next = v128.load(source + 64 * half + lane, 32);
        const high = v128.load(source + 32 * half + lane, BIT_PAIRS);
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
  storeScaled(target, i8x16.sub(code, i8x16.splat(<i8>CODE_LIMIT)), f32x4.splat(d * <f32>load<i8>(scale)));
}

export function encodeQ6_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    fitSignedGroups(source, importance, <f32>CODE_LIMIT, scratch);
    encodeBlock(source, target, scratch);
    source += 1024;
    target += BLOCK_BYTES;
    if (importance !== 0) importance += 1024;
  }
}

function encodeBlock(x: usize, block: usize, scratch: usize): void {
  let magnitude: f32 = 0;
  let extreme: f32 = 0;
  for (let group: usize = 0; group < GROUPS; group++) {
    const scale = load<f32>(scratch + (group << 2), SCALES);
    if (abs<f32>(scale) > magnitude) {
      magnitude = abs<f32>(scale);
      extreme = scale;
    }
  }
  if (magnitude < <f32>NEGLIGIBLE) {
    memory.fill(block, 0, BLOCK_BYTES);
    return;
  }
  const inverse: f32 = -128 / extreme;
  storeHalf(block + SCALE, 1 / inverse);
  const d = loadHalf(block + SCALE);
  for (let group: usize = 0; group < GROUPS; group++) {
    const fitted: f32 = inverse * load<f32>(scratch + (group << 2), SCALES);
    const scale = <i8>min<i32>(127, nearestInt(fitted));
    store<i8>(block + group, scale, GROUP_SCALES);
    store<f32>(scratch + (group << 2), d * <f32>scale, STEPS);
  }
  encodeSignedGroups(x, <f32>CODE_LIMIT, scratch);
  pack(scratch + CODES, block);
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
      v128.store(block + 32 * half + lane, v128.or(lowPairs, highPairs), BIT_PAIRS);
    }
  }
}

/** Of group j of 16. */
export function stepOfQ6_K(block: usize, j: i32): f32 {
  return loadHalf(block + SCALE) * <f32>load<i8>(block + <usize>j, GROUP_SCALES);
}

/** Weight 128h + 32k + l has its low nibble in byte 64h + 32(k mod 2) + l. */
export function setCodeOfQ6_K(block: usize, i: i32, code: i32): void {
  const nibble = block + 64 * <usize>(i >> 7) + <usize>(i & 63);
  setHalf(nibble, (i & 64) !== 0, code & 15);
  setBitPair(block + BIT_PAIRS, i, code >> 4);
}

/** Exchanges the scale of group j of 16. */
export function setScaleCodeOfQ6_K(block: usize, j: i32, code: i32): void {
  store<i8>(block + <usize>j, <i8>code, GROUP_SCALES);
}
