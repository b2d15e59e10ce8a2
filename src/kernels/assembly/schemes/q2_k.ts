import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  GROUP_SIZE,
  LARGEST_CODE,
  LARGEST_SCALE,
  MIN,
  SCALE,
  SEARCH_FROM,
  SEARCH_STEP,
  SEARCH_STEPS,
} from '../../../core/scheme-constants/q2_k';
import { loadHalf, storeHalf } from '../half';
import { toLanes } from '../search/lanes';
import { nearestInt } from '../search/nearest-int';
import {
  CODES,
  encodeGroups,
  fitByImportance,
  keepFit,
  largestOf,
  MIN_CODES,
  MINS,
  SCALE_CODES,
  SCALES,
  WEIGHT_SUMS,
  weighByAbsolute,
} from '../search/offset-groups';
import { fitOffset, X } from '../search/offset-scale';
import { fitPositive } from '../search/positive-scale';
import { packBitPairs, setBitPair, storeOffset } from './codes';

const GROUPS: i32 = BLOCK_SIZE / GROUP_SIZE;

export function decodeQ2_K(source: usize, target: usize, columns: i32): void {
  const mask = i8x16.splat(3);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    const dmin = loadHalf(source + MIN);
    for (let half: usize = 0; half < 2; half++) {
      for (let j: usize = 0; j < 32; j += 16) {
        let pairs = v128.load(source + 32 * half + j, BIT_PAIRS);
        for (let k: usize = 0; k < 4; k++) {
          const group: usize = 8 * half + 2 * k + (j >> 4);
          const scales = load<u8>(source + group);
          const step = f32x4.splat(d * <f32>(scales & 15));
          storeOffset(
            target + (group << 6),
            v128.and(pairs, mask),
            step,
            f32x4.splat(dmin * <f32>(scales >> 4)),
          );
          pairs = i8x16.shr_u(pairs, 2);
        }
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

export function encodeQ2_K(
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    if (importance === 0) {
      fitPlain(source, target, scratch);
    } else {
      fitWeighted(source, target, scratch, importance);
      importance += 1024;
    }
    for (let group: usize = 0; group < <usize>GROUPS; group++) {
      const at = scratch + group;
      const both = <u8>(load<u8>(at, SCALE_CODES) | (load<u8>(at, MIN_CODES) << 4));
      store<u8>(target + group, both);
      store<u8>(at, both & 15, SCALE_CODES);
      store<u8>(at, both >> 4, MIN_CODES);
    }
    const d = loadHalf(target + SCALE);
    encodeGroups(source, scratch, GROUP_SIZE, LARGEST_CODE, d, loadHalf(target + MIN));
    packBitPairs(scratch + CODES, target + BIT_PAIRS);
    source += 1024;
    target += BLOCK_BYTES;
  }
}

function fitPlain(x: usize, block: usize, scratch: usize): void {
  for (let quad = 0; quad < 4; quad++) {
    toLanes(x + ((<usize>quad) << 8), GROUP_SIZE, scratch + X);
    weighByAbsolute(scratch, GROUP_SIZE);
    fitOffset(scratch, GROUP_SIZE, <f32>LARGEST_CODE, <f32>SEARCH_FROM, <f32>SEARCH_STEP, SEARCH_STEPS, true);
    keepFit(scratch, quad);
  }
  storeHalf(block + SCALE, scaleByLargest(scratch + SCALES, scratch + SCALE_CODES));
  storeHalf(block + MIN, scaleByLargest(scratch + MINS, scratch + MIN_CODES));
}

/** The largest value gets the largest code. Returns the step; 0 where no value is positive. */
function scaleByLargest(values: usize, codes: usize): f32 {
  const largest = largestOf(values, GROUPS);
  if (!(largest > 0)) {
    memory.fill(codes, 0, GROUPS);
    return 0;
  }
  const inverse: f32 = <f32>LARGEST_SCALE / largest;
  for (let group: usize = 0; group < <usize>GROUPS; group++) {
    store<u8>(codes + group, <u8>nearestInt(inverse * load<f32>(values + (group << 2))));
  }
  return largest / <f32>LARGEST_SCALE;
}

function fitWeighted(x: usize, block: usize, scratch: usize, importance: usize): void {
  fitByImportance(x, importance, scratch, GROUP_SIZE, <f32>LARGEST_CODE, 1);
  const sums = scratch + WEIGHT_SUMS;
  const d = fitPositive(scratch + SCALES, sums, GROUPS, LARGEST_SCALE, scratch + SCALE_CODES);
  storeHalf(block + SCALE, d);
  const dmin = fitPositive(scratch + MINS, sums, GROUPS, LARGEST_SCALE, scratch + MIN_CODES);
  storeHalf(block + MIN, dmin);
}

/** Of group j of 16. */
export function stepOfQ2_K(block: usize, j: i32): f32 {
  return loadHalf(block + SCALE) * <f32>(load<u8>(block + <usize>j) & 15);
}

export function minOfQ2_K(block: usize, j: i32): f32 {
  return loadHalf(block + MIN) * <f32>(load<u8>(block + <usize>j) >> 4);
}

export function setCodeOfQ2_K(block: usize, i: i32, code: i32): void {
  setBitPair(block + BIT_PAIRS, i, code);
}

/** Exchanges the codes of scale and min of group j of 16. */
export function setScaleCodesOfQ2_K(block: usize, j: i32, code: i32, min: i32): void {
  store<u8>(block + <usize>j, code | (min << 4));
}
