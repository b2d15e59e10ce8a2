import {
  BLOCK_SIZE,
  GROUP_SCALES,
  GROUP_SIZE,
  LARGEST_SCALE,
  MIN,
  SCALE,
  SEARCH_STEP,
} from '../../../core/scheme-constants/q4_k';
import { loadHalf, storeHalf } from '../half';
import { toLanes } from '../search/lanes';
import { nearestInt } from '../search/nearest-int';
import {
  encodeGroups,
  fitByImportance,
  keepFit,
  largestOf,
  MIN_CODES,
  MINS,
  SCALE_CODES,
  SCALES,
  WEIGHT_SUMS,
  weighByMagnitude,
} from '../search/offset-groups';
import { fitOffset, X } from '../search/offset-scale';
import { fitPositive } from '../search/positive-scale';

const GROUPS: i32 = BLOCK_SIZE / GROUP_SIZE;

/**
 * Fits a super-block of Q4_K or Q5_K, which begin alike: writes halves d and dmin and the packed scales and
 * mins, and leaves the codes in scratch.
 */
export function encodeScaled(
  x: usize,
  block: usize,
  scratch: usize,
  importance: usize,
  largest: i32,
  from: f32,
  steps: i32,
): void {
  if (importance === 0) fitPlain(x, block, scratch, <f32>largest, from, steps);
  else fitWeighted(x, block, scratch, importance, <f32>largest);
  packScales(scratch, block + GROUP_SCALES);
  encodeGroups(x, scratch, GROUP_SIZE, largest, loadHalf(block + SCALE), loadHalf(block + MIN));
}

function fitPlain(x: usize, block: usize, scratch: usize, largest: f32, from: f32, steps: i32): void {
  for (let quad = 0; quad < 2; quad++) {
    toLanes(x + ((<usize>quad) << 9), GROUP_SIZE, scratch + X);
    weighByMagnitude(scratch, GROUP_SIZE);
    fitOffset(scratch, GROUP_SIZE, largest, from, <f32>SEARCH_STEP, steps, false);
    keepFit(scratch, quad);
  }
  const maxScale = largestOf(scratch + SCALES, GROUPS);
  const maxMin = largestOf(scratch + MINS, GROUPS);
  const inverse: f32 = maxScale > 0 ? <f32>LARGEST_SCALE / maxScale : 0;
  const inverseMin: f32 = maxMin > 0 ? <f32>LARGEST_SCALE / maxMin : 0;
  for (let group: usize = 0; group < <usize>GROUPS; group++) {
    const at = scratch + (group << 2);
    store<u8>(scratch + group, limited(inverse * load<f32>(at, SCALES)), SCALE_CODES);
    store<u8>(scratch + group, limited(inverseMin * load<f32>(at, MINS)), MIN_CODES);
  }
  storeHalf(block + SCALE, maxScale / <f32>LARGEST_SCALE);
  storeHalf(block + MIN, maxMin / <f32>LARGEST_SCALE);
}

/** ggml keeps the code in a byte before it limits it. */
function limited(scaled: f32): u8 {
  return <u8>min<i32>(LARGEST_SCALE, nearestInt(scaled) & 0xff);
}

function fitWeighted(x: usize, block: usize, scratch: usize, importance: usize, largest: f32): void {
  fitByImportance(x, importance, scratch, GROUP_SIZE, largest, 2);
  const sums = scratch + WEIGHT_SUMS;
  storeHalf(block + SCALE, fitPositive(scratch + SCALES, sums, GROUPS, LARGEST_SCALE, scratch + SCALE_CODES));
  storeHalf(block + MIN, fitPositive(scratch + MINS, sums, GROUPS, LARGEST_SCALE, scratch + MIN_CODES));
}

/**
 * The twelve bytes of eight scales and eight mins of 6 bits: the first four of each in the low 6 bits of
 * bytes 0-3 and 4-7, the others' low nibbles in bytes 8-11 and their high bit pairs above the first.
 */
function packScales(scratch: usize, target: usize): void {
  for (let j: usize = 0; j < 4; j++) {
    const scale = load<u8>(scratch + j, SCALE_CODES + 4);
    const min = load<u8>(scratch + j, MIN_CODES + 4);
    store<u8>(target + j, load<u8>(scratch + j, SCALE_CODES) | ((scale >> 4) << 6));
    store<u8>(target + j, load<u8>(scratch + j, MIN_CODES) | ((min >> 4) << 6), 4);
    store<u8>(target + j, (scale & 15) | ((min & 15) << 4), 8);
  }
}

/** Code of the scale of group j of 8. */
export function scaleCode(scales: usize, j: usize): i32 {
  if (j < 4) return load<u8>(scales + j) & 63;
  return (load<u8>(scales + j, 4) & 15) | ((load<u8>(scales + j - 4) >> 6) << 4);
}

export function minCode(scales: usize, j: usize): i32 {
  if (j < 4) return load<u8>(scales + j, 4) & 63;
  return (load<u8>(scales + j, 4) >> 4) | ((load<u8>(scales + j) >> 6) << 4);
}

/** Step of group j of 8. */
export function stepOf(block: usize, j: i32): f32 {
  return loadHalf(block + SCALE) * <f32>scaleCode(block + GROUP_SCALES, j);
}

/** What group j of 8 lies below its codes. */
export function minOf(block: usize, j: i32): f32 {
  return loadHalf(block + MIN) * <f32>minCode(block + GROUP_SCALES, j);
}

/** Exchanges the codes of scale and min of group j of 8. */
export function setScaleCodesOf(block: usize, j: i32, code: i32, min: i32): void {
  const scales = block + GROUP_SCALES;
  if (j < 4) {
    const at = scales + <usize>j;
    store<u8>(at, (load<u8>(at) & 0xc0) | code);
    store<u8>(at, (load<u8>(at, 4) & 0xc0) | min, 4);
    return;
  }
  const at = scales + <usize>j - 4;
  store<u8>(at, (code & 15) | ((min & 15) << 4), 8);
  store<u8>(at, (load<u8>(at) & 63) | ((code >> 4) << 6));
  store<u8>(at, (load<u8>(at, 4) & 63) | ((min >> 4) << 6), 4);
}
