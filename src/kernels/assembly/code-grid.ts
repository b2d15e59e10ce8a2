import { setCodeOfIQ4_NL } from './schemes/iq4_nl';
import { setCodeOfIQ4_XS, stepOfIQ4_XS } from './schemes/iq4_xs';
import { offsetOf, stepOf } from './schemes/k-scales';
import { minOfQ2_K, setCodeOfQ2_K, stepOfQ2_K } from './schemes/q2_k';
import { setCodeOfQ3_K, stepOfQ3_K } from './schemes/q3_k';
import { setCodeOfQ4_0, stepOfQ4_0 } from './schemes/q4_0';
import { minOfQ4_1, setCodeOfQ4_1 } from './schemes/q4_1';
import { setCodeOfQ4_K } from './schemes/q4_k';
import { setCodeOfQ5_0 } from './schemes/q5_0';
import { setCodeOfQ5_1 } from './schemes/q5_1';
import { setCodeOfQ5_K } from './schemes/q5_k';
import { setCodeOfQ6_K, stepOfQ6_K } from './schemes/q6_k';
import { setCodeOfQ8_0 } from './schemes/q8_0';
import { iq4Code, iq4Value } from './search/iq4-scale';
import { nearestInt } from './search/nearest-int';
import * as types from './types';

/** Twins of `Codec.grid`: what codes of an encoded block stand for, and how they are exchanged one by one. */

export function blockSizeOf(scheme: i32): i32 {
  switch (scheme) {
    case types.Q4_0:
    case types.Q4_1:
    case types.Q5_0:
    case types.Q5_1:
    case types.Q8_0:
    case types.IQ4_NL:
      return 32;
    default:
      return 256;
  }
}

/** Step of the 16 weights of a group; a weight is step * code - min. */
export function stepOfGroup(scheme: i32, block: usize, group: i32): f32 {
  switch (scheme) {
    case types.Q2_K:
      return stepOfQ2_K(block, group);
    case types.Q3_K:
      return stepOfQ3_K(block, group);
    case types.Q4_K:
    case types.Q5_K:
      return stepOf(block, group >> 1);
    case types.Q6_K:
      return stepOfQ6_K(block, group);
    case types.IQ4_XS:
      return stepOfIQ4_XS(block, group >> 1);
    default:
      // An f16 at the front.
      return stepOfQ4_0(block);
  }
}

export function minOfGroup(scheme: i32, block: usize, group: i32, step: f32): f32 {
  switch (scheme) {
    case types.Q4_1:
    case types.Q5_1:
      return minOfQ4_1(block);
    case types.Q2_K:
      return minOfQ2_K(block, group);
    case types.Q4_K:
    case types.Q5_K:
      return offsetOf(block, group >> 1);
    case types.Q3_K:
      return 4 * step;
    case types.Q4_0:
      return 8 * step;
    case types.Q5_0:
      return 16 * step;
    case types.Q6_K:
      return 32 * step;
    case types.Q8_0:
      return 127 * step;
    default:
      return 0;
  }
}

function largestCode(scheme: i32): i32 {
  switch (scheme) {
    case types.Q2_K:
      return 3;
    case types.Q3_K:
      return 7;
    case types.Q5_0:
    case types.Q5_1:
    case types.Q5_K:
      return 31;
    case types.Q6_K:
      return 63;
    case types.Q8_0:
      return 254;
    default:
      return 15;
  }
}

function hasLevels(scheme: i32): bool {
  return scheme === types.IQ4_NL || scheme === types.IQ4_XS;
}

/** The code nearest to `quotient`, which is (weight + min) / step. */
export function nearestCode(scheme: i32, quotient: f32): i32 {
  if (hasLevels(scheme)) return iq4Code(quotient);
  return nearestInt(max<f32>(0, min<f32>(<f32>largestCode(scheme), quotient)));
}

/** What a code counts for, in steps. */
export function levelOf(scheme: i32, code: i32): f32 {
  return hasLevels(scheme) ? <f32>iq4Value(code) : <f32>code;
}

/** Exchanges the code of weight `index` of a block. */
export function setCode(scheme: i32, block: usize, index: i32, code: i32): void {
  switch (scheme) {
    case types.Q4_0:
      setCodeOfQ4_0(block, index, code);
      break;
    case types.Q4_1:
      setCodeOfQ4_1(block, index, code);
      break;
    case types.Q5_0:
      setCodeOfQ5_0(block, index, code);
      break;
    case types.Q5_1:
      setCodeOfQ5_1(block, index, code);
      break;
    case types.Q8_0:
      setCodeOfQ8_0(block, index, code);
      break;
    case types.Q2_K:
      setCodeOfQ2_K(block, index, code);
      break;
    case types.Q3_K:
      setCodeOfQ3_K(block, index, code);
      break;
    case types.Q4_K:
      setCodeOfQ4_K(block, index, code);
      break;
    case types.Q5_K:
      setCodeOfQ5_K(block, index, code);
      break;
    case types.Q6_K:
      setCodeOfQ6_K(block, index, code);
      break;
    case types.IQ4_NL:
      setCodeOfIQ4_NL(block, index, code);
      break;
    case types.IQ4_XS:
      setCodeOfIQ4_XS(block, index, code);
      break;
    default:
      unreachable();
  }
}
