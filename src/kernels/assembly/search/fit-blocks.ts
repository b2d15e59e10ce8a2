import { WEIGHTED_FROM, WEIGHTED_STEP, WEIGHTED_STEPS } from '../../../core/scheme-constants/search';
import { weighErrors } from './error-weights';
import { toLanes } from './lanes';
import { storeProducts } from './offset-groups';
import {
  CODE_BASE,
  CODE_INVERSE,
  FITTED_MIN,
  FITTED_SCALE,
  fitOffset,
  OFFSET_SEARCH_BYTES,
  W,
  X,
} from './offset-scale';

/**
 * Byte offsets in scratch, behind the search of four blocks of 32: weights of errors, values, then one byte a
 * code.
 */
const WEIGHTS: usize = OFFSET_SEARCH_BYTES;
const VALUES: usize = WEIGHTS + 512;
const CODES: usize = VALUES + 512;

/** Fits up to four blocks of 32 weights by importance, each as scale * code + offset. */
export function fitBlocks(
  x: usize,
  importance: usize,
  variance: f32,
  blocks: i32,
  largest: i32,
  scratch: usize,
): void {
  if (blocks < 4) memory.fill(scratch + WEIGHTS, 0, 1024);
  memory.copy(scratch + VALUES, x, (<usize>blocks) << 7);
  weighErrors(x, importance, variance, scratch + WEIGHTS, blocks << 5);
  toLanes(scratch + VALUES, 32, scratch + X);
  toLanes(scratch + WEIGHTS, 32, scratch + W);
  fitOffset(scratch, 32, <f32>largest, <f32>WEIGHTED_FROM, <f32>WEIGHTED_STEP, WEIGHTED_STEPS, false);
  for (let block: usize = 0; block < <usize>blocks; block++) {
    const inverse = v128.load32_splat(scratch + (block << 2), CODE_INVERSE);
    const base = v128.load32_splat(scratch + (block << 2), CODE_BASE);
    const codes = scratch + CODES + (block << 5);
    storeProducts(x + (block << 7), base, inverse, largest, codes);
    storeProducts(x + (block << 7) + 64, base, inverse, largest, codes + 16);
  }
}

export function fittedScale(scratch: usize, block: usize): f32 {
  return load<f32>(scratch + (block << 2), FITTED_SCALE);
}

export function fittedOffset(scratch: usize, block: usize): f32 {
  return -load<f32>(scratch + (block << 2), FITTED_MIN);
}

/** Where the 32 codes of a block lie. */
export function fittedCodes(scratch: usize, block: usize): usize {
  return scratch + CODES + (block << 5);
}
