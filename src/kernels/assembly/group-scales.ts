import * as iq4_xs from '../../core/scheme-constants/iq4_xs';
import * as q2_k from '../../core/scheme-constants/q2_k';
import * as q3_k from '../../core/scheme-constants/q3_k';
import * as q4_0 from '../../core/scheme-constants/q4_0';
import * as q4_1 from '../../core/scheme-constants/q4_1';
import * as q4_k from '../../core/scheme-constants/q4_k';
import * as q5_0 from '../../core/scheme-constants/q5_0';
import * as q5_1 from '../../core/scheme-constants/q5_1';
import * as q5_k from '../../core/scheme-constants/q5_k';
import * as q6_k from '../../core/scheme-constants/q6_k';
import * as q8_0 from '../../core/scheme-constants/q8_0';
import { loadHalf, storeHalf } from './half';
import { setScaleCodeOfIQ4_XS } from './schemes/iq4_xs';
import { setScaleCodesOf } from './schemes/k-scales';
import { setScaleCodesOfQ2_K } from './schemes/q2_k';
import { setScaleCodeOfQ3_K } from './schemes/q3_k';
import { setScaleCodeOfQ6_K } from './schemes/q6_k';

/**
 * What steps and mins of groups may be, while the codes of weights stay. In super-blocks they are multiples of
 * the block's own; other blocks have them as halves.
 */

/** Weights that share a step. */
export function groupSizeOf(scheme: i32): i32 {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      return q2_k.GROUP_SIZE;
    case q3_k.GGML_TYPE:
      return q3_k.GROUP_SIZE;
    case q6_k.GGML_TYPE:
      return q6_k.GROUP_SIZE;
    default:
      return q4_k.GROUP_SIZE;
  }
}

/** What codes are less than levels, where the min is this many steps; 0 where it is none, or one of its own. */
export function codeLimitOf(scheme: i32): f32 {
  switch (scheme) {
    case q4_0.GGML_TYPE:
      return <f32>q4_0.CODE_LIMIT;
    case q5_0.GGML_TYPE:
      return <f32>q5_0.CODE_LIMIT;
    case q8_0.GGML_TYPE:
      return <f32>q8_0.CODE_LIMIT;
    case q3_k.GGML_TYPE:
      return <f32>q3_k.CODE_LIMIT;
    case q6_k.GGML_TYPE:
      return <f32>q6_k.CODE_LIMIT;
    default:
      return 0;
  }
}

/** Whether groups have a min of their own. */
export function hasMins(scheme: i32): bool {
  switch (scheme) {
    case q4_1.GGML_TYPE:
    case q5_1.GGML_TYPE:
    case q2_k.GGML_TYPE:
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      return true;
    default:
      return false;
  }
}

/** Whether steps and mins are multiples of units that the block holds, and not halves of their own. */
export function hasMultiples(scheme: i32): bool {
  switch (scheme) {
    case q2_k.GGML_TYPE:
    case q3_k.GGML_TYPE:
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
    case q6_k.GGML_TYPE:
    case iq4_xs.GGML_TYPE:
      return true;
    default:
      return false;
  }
}

/** What steps are multiples of. */
export function stepUnit(scheme: i32, block: usize): f32 {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      return loadHalf(block + q2_k.SCALE);
    case q3_k.GGML_TYPE:
      return loadHalf(block + q3_k.SCALE);
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      return loadHalf(block + q4_k.SCALE);
    case q6_k.GGML_TYPE:
      return loadHalf(block + q6_k.SCALE);
    case iq4_xs.GGML_TYPE:
      return loadHalf(block + iq4_xs.SCALE);
    default:
      return 0;
  }
}

/** What mins are multiples of; 0 where there are none. */
export function minUnit(scheme: i32, block: usize): f32 {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      return loadHalf(block + q2_k.MIN);
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      return loadHalf(block + q4_k.MIN);
    default:
      return 0;
  }
}

/** The smallest multiple that a step may be. */
export function leastStep(scheme: i32): i32 {
  switch (scheme) {
    case q3_k.GGML_TYPE:
      return -q3_k.SCALE_LIMIT;
    case q6_k.GGML_TYPE:
      return -128;
    case iq4_xs.GGML_TYPE:
      return -iq4_xs.SCALE_LIMIT;
    default:
      return 0;
  }
}

/** The largest multiple that a step, or a min, may be. */
export function largestStep(scheme: i32): i32 {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      return q2_k.LARGEST_SCALE;
    case q3_k.GGML_TYPE:
      return q3_k.SCALE_LIMIT - 1;
    case q6_k.GGML_TYPE:
      return 127;
    case iq4_xs.GGML_TYPE:
      return iq4_xs.SCALE_LIMIT - 1;
    default:
      return q4_k.LARGEST_SCALE;
  }
}

/** Exchanges the multiples of a super-block's group: `group` counts 16 weights. */
export function setMultiples(scheme: i32, block: usize, group: i32, step: i32, min: i32): void {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      setScaleCodesOfQ2_K(block, group, step, min);
      break;
    case q3_k.GGML_TYPE:
      setScaleCodeOfQ3_K(block, group, step + q3_k.SCALE_LIMIT);
      break;
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      setScaleCodesOf(block, group >> 1, step, min);
      break;
    case q6_k.GGML_TYPE:
      setScaleCodeOfQ6_K(block, group, step);
      break;
    case iq4_xs.GGML_TYPE:
      setScaleCodeOfIQ4_XS(block, group >> 1, step + iq4_xs.SCALE_LIMIT);
      break;
    default:
      unreachable();
  }
}

/** Exchanges the halves of a block: a weight is step * level - min. */
export function setHalves(scheme: i32, block: usize, step: f32, min: f32): void {
  storeHalf(block + q4_1.SCALE, step);
  if (hasMins(scheme)) storeHalf(block + q4_1.OFFSET, -min);
}
