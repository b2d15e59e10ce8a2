import {
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODES,
  GROUP_SIZE,
  SCALE,
  SCALE_LIMIT,
  SCALES_HIGH,
  SCALES_LOW,
} from '../../../core/scheme-constants/iq4_xs';
import { loadHalf, storeHalf } from '../half';
import { sumOfSquares, weighBySquares, weighErrors } from '../search/error-weights';
import { fitIq4, IQ4_SEARCH_BYTES, iq4Values, storeIq4Codes } from '../search/iq4-scale';
import { nearestInt } from '../search/nearest-int';
import { setNibble, storeScaled } from './codes';

const GROUPS: usize = BLOCK_SIZE / GROUP_SIZE;
/** Byte offsets in the encoder's scratch, behind the search. */
const WEIGHTS: usize = IQ4_SEARCH_BYTES;
const SCALES: usize = WEIGHTS + 1024;

export function decodeIQ4_XS(source: usize, target: usize, columns: i32): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    let high: u32 = load<u16>(source, SCALES_HIGH);
    let low = load<u32>(source, SCALES_LOW);
    for (let group: usize = 0; group < GROUPS; group++) {
      const scale = <i32>((low & 15) | ((high & 3) << 4)) - SCALE_LIMIT;
      low >>= 4;
      high >>= 2;
      const step = f32x4.splat(d * <f32>scale);
      const pairs = v128.load(source + (group << 4), CODES);
      storeScaled(target, iq4Values(v128.and(pairs, i8x16.splat(15))), step);
      storeScaled(target + 64, iq4Values(i8x16.shr_u(pairs, 4)), step);
      target += 128;
    }
    source += BLOCK_BYTES;
  }
}

export function encodeIQ4_XS(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  const weights = scratch + WEIGHTS;
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    if (importance === 0) {
      weighBySquares(source, weights, BLOCK_SIZE);
    } else {
      const variance: f32 = sumOfSquares(source, BLOCK_SIZE) * (<f32>2 / <f32>BLOCK_SIZE);
      weighErrors(source, importance, variance, weights, BLOCK_SIZE);
      importance += 1024;
    }
    encodeBlock(source, target, scratch);
    source += 1024;
    target += BLOCK_BYTES;
  }
}

function encodeBlock(x: usize, block: usize, scratch: usize): void {
  const extreme = fitGroups(x, scratch);
  const d: f32 = -extreme / <f32>SCALE_LIMIT;
  const inverse: f32 = d === 0 ? 0 : 1 / d;
  storeHalf(block + SCALE, d);
  let high: u32 = 0;
  let low: u32 = 0;
  for (let group: usize = 0; group < GROUPS; group++) {
    const nearest = nearestInt(inverse * load<f32>(scratch + (group << 2), SCALES));
    const scale = max<i32>(-SCALE_LIMIT, min<i32>(SCALE_LIMIT - 1, nearest));
    const bits = <u32>(scale + SCALE_LIMIT);
    high |= (bits >> 4) << (2 * <u32>group);
    low |= (bits & 15) << (4 * <u32>group);
    const step: f32 = d * <f32>scale;
    storeIq4Codes(x + (group << 7), step === 0 ? 0 : 1 / step, block + CODES + (group << 4));
  }
  store<u16>(block, <u16>high, SCALES_HIGH);
  store<u32>(block, low, SCALES_LOW);
}

/** Leaves the scales of groups in scratch; returns the one of the largest magnitude. */
function fitGroups(x: usize, scratch: usize): f32 {
  let extreme: f32 = 0;
  for (let group: usize = 0; group < GROUPS; group++) {
    const scale = fitIq4(x + (group << 7), scratch + WEIGHTS + (group << 7), scratch);
    store<f32>(scratch + (group << 2), scale, SCALES);
    if (abs<f32>(scale) > abs<f32>(extreme)) extreme = scale;
  }
  return extreme;
}

/** Of group j of 8. */
export function stepOfIQ4_XS(block: usize, j: i32): f32 {
  const high = (<i32>load<u16>(block, SCALES_HIGH) >> (2 * j)) & 3;
  const low = (load<i32>(block, SCALES_LOW) >> (4 * j)) & 15;
  return loadHalf(block + SCALE) * <f32>((low | (high << 4)) - SCALE_LIMIT);
}

export function setCodeOfIQ4_XS(block: usize, i: i32, code: i32): void {
  setNibble(block + CODES + 16 * <usize>(i >> 5), i & 31, code);
}

/** Exchanges the code, offset by its limit, of the scale of group j of 8. */
export function setScaleCodeOfIQ4_XS(block: usize, j: i32, code: i32): void {
  const high: u32 = load<u16>(block, SCALES_HIGH);
  store<u16>(block, <u16>((high & ~(3 << (2 * j))) | ((code >> 4) << (2 * j))), SCALES_HIGH);
  const low = load<u32>(block, SCALES_LOW);
  store<u32>(block, (low & ~(15 << (4 * j))) | ((code & 15) << (4 * j)), SCALES_LOW);
}
