import {
  BIT_PAIRS,
  BLOCK_BYTES,
  BLOCK_SIZE,
  CODE_LIMIT,
  GROUP_SCALES,
  SCALE,
  SCALE_LIMIT,
} from '../../../core/scheme-constants/q3_k';
import { loadHalf, storeHalf } from '../half';
import { sumOfSquares, weighErrors } from '../search/error-weights';
import { nearestInt } from '../search/nearest-int';
import {
  CODES,
  ERROR_WEIGHTS,
  encodeSignedGroups,
  fitGroupsByCoordinates,
  fitSignedGroups,
  refineSignedGroups,
  SCALES,
  STEPS,
  WEIGHT_SUMS,
} from '../search/signed-groups';
import { fitSigned } from '../search/signed-scale';
import { packBitPairs, setBit, setBitPair, setHalf, storeScaled } from './codes';

/** Codes of the 16 scales, offset by their limit, behind the room for weights of errors. */
const SCALE_CODES: usize = ERROR_WEIGHTS + 1024;

export function decodeQ3_K(source: usize, target: usize, columns: i32): void {
  const mask = i8x16.splat(3);
  const third = i8x16.splat(<i8>CODE_LIMIT);
  for (let c = 0; c < columns; c += BLOCK_SIZE) {
    const d = loadHalf(source + SCALE);
    for (let j: usize = 0; j < 32; j += 16) {
      let high = v128.load(source + j);
      for (let half: usize = 0; half < 2; half++) {
        let pairs = v128.load(source + 32 * half + j, BIT_PAIRS);
        for (let k: usize = 0; k < 4; k++) {
          const group: usize = 8 * half + 2 * k + (j >> 4);
          const code = v128.or(v128.and(pairs, mask), v128.and(i8x16.shl(high, 2), third));
          const step: f32 = d * <f32>(scaleCode(source + GROUP_SCALES, group) - SCALE_LIMIT);
          storeScaled(target + (group << 6), i8x16.sub(code, third), f32x4.splat(step));
          pairs = i8x16.shr_u(pairs, 2);
          high = i8x16.shr_u(high, 1);
        }
      }
    }
    source += BLOCK_BYTES;
    target += 1024;
  }
}

export function encodeQ3_K(
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
    pack(scratch, target);
    source += 1024;
    target += BLOCK_BYTES;
  }
}

function fitPlain(x: usize, block: usize, scratch: usize): void {
  fitGroupsByCoordinates(x, <f32>CODE_LIMIT, scratch);
  let magnitude: f32 = 0;
  let extreme: f32 = 0;
  for (let group: usize = 0; group < 16; group++) {
    const scale = load<f32>(scratch + (group << 2), SCALES);
    if (abs<f32>(scale) > magnitude) {
      magnitude = abs<f32>(scale);
      extreme = scale;
    }
  }
  let d: f32 = 0;
  if (extreme === 0) {
    memory.fill(scratch + SCALE_CODES, 0, 16);
  } else {
    const inverse: f32 = -(<f32>SCALE_LIMIT) / extreme;
    for (let group: usize = 0; group < 16; group++) {
      // ggml keeps the code in a signed byte before it limits it.
      const code = <i32>(<i8>nearestInt(inverse * load<f32>(scratch + (group << 2), SCALES)));
      const limited = max<i32>(-SCALE_LIMIT, min<i32>(SCALE_LIMIT - 1, code));
      store<u8>(scratch + group, <u8>(limited + SCALE_LIMIT), SCALE_CODES);
    }
    d = 1 / inverse;
  }
  storeSteps(d, block, scratch);
  refineSignedGroups(x, <f32>CODE_LIMIT, scratch);
}

function fitWeighted(x: usize, block: usize, scratch: usize, importance: usize): void {
  const variance: f32 = (2 * sumOfSquares(x, BLOCK_SIZE)) / <f32>BLOCK_SIZE;
  const weights = scratch + ERROR_WEIGHTS;
  weighErrors(x, importance, variance, weights, BLOCK_SIZE);
  fitSignedGroups(x, weights, <f32>CODE_LIMIT, scratch);
  const sums = scratch + WEIGHT_SUMS;
  const codes = scratch + SCALE_CODES;
  // The lanes of the groups have served: the tries may have their room.
  const d = fitSigned(scratch + SCALES, 16, <f32>SCALE_LIMIT, sums, codes, scratch);
  storeSteps(d, block, scratch);
  encodeSignedGroups(x, <f32>CODE_LIMIT, scratch);
}

function storeSteps(d: f32, block: usize, scratch: usize): void {
  storeHalf(block + SCALE, d);
  const stored = loadHalf(block + SCALE);
  for (let group: usize = 0; group < 16; group++) {
    const code = <i32>load<u8>(scratch + group, SCALE_CODES) - SCALE_LIMIT;
    store<f32>(scratch + (group << 2), stored * <f32>code, STEPS);
  }
}

function pack(scratch: usize, block: usize): void {
  const codes = scratch + CODES;
  packBitPairs(codes, block + BIT_PAIRS);
  for (let j: usize = 0; j < 32; j += 16) {
    let high = i8x16.splat(0);
    for (let k: usize = 8; k-- > 0; ) {
      high = v128.or(i8x16.shl(high, 1), i8x16.shr_u(v128.load(codes + 32 * k + j), 2));
    }
    v128.store(block + j, high);
  }
  const scales = block + GROUP_SCALES;
  memory.fill(scales, 0, 12);
  for (let j: usize = 0; j < 16; j++) {
    const code = load<u8>(scratch + j, SCALE_CODES);
    const low = scales + (j & 7);
    store<u8>(low, load<u8>(low) | ((code & 15) << (j < 8 ? 0 : 4)));
    const pair = scales + 8 + (j & 3);
    store<u8>(pair, load<u8>(pair) | ((code >> 4) << (2 * <u8>(j >> 2))));
  }
}

/** Code of scale j, offset by its limit. */
function scaleCode(scales: usize, j: usize): i32 {
  const low = (load<u8>(scales + (j & 7)) >> (j < 8 ? 0 : 4)) & 15;
  const high = (load<u8>(scales + (j & 3), 8) >> (2 * <u8>(j >> 2))) & 3;
  return low | (high << 4);
}

/** Of group j of 16. */
export function stepOfQ3_K(block: usize, j: i32): f32 {
  return loadHalf(block + SCALE) * <f32>(scaleCode(block + GROUP_SCALES, j) - SCALE_LIMIT);
}

export function setCodeOfQ3_K(block: usize, i: i32, code: i32): void {
  setBitPair(block + BIT_PAIRS, i, code & 3);
  setBit(block + <usize>(i & 31), i >> 5, code >> 2);
}

/** Exchanges the code, offset by its limit, of the scale of group j of 16. */
export function setScaleCodeOfQ3_K(block: usize, j: i32, code: i32): void {
  const scales = block + GROUP_SCALES;
  setHalf(scales + <usize>(j & 7), j >= 8, code & 15);
  const pair = scales + 8 + <usize>(j & 3);
  const shift = 2 * (j >> 2);
  store<u8>(pair, <u8>((<i32>load<u8>(pair) & ~(3 << shift)) | ((code >> 4) << shift)));
}
