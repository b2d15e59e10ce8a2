import * as iq4_nl from '../../core/scheme-constants/iq4_nl';
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
import { loadHalf } from './half';
import { setCodeOfIQ4_NL } from './schemes/iq4_nl';
import { setCodeOfIQ4_XS, stepOfIQ4_XS } from './schemes/iq4_xs';
import { minOf, stepOf } from './schemes/k-scales';
import { minOfBlock, setCodeOfQ4_1, setCodeOfQ5_1 } from './schemes/offset-blocks';
import { setCodeOfQ4_K, setCodeOfQ5_K } from './schemes/offset-super-blocks';
import { minOfQ2_K, setCodeOfQ2_K, stepOfQ2_K } from './schemes/q2_k';
import { setCodeOfQ3_K, stepOfQ3_K } from './schemes/q3_k';
import { setCodeOfQ6_K, stepOfQ6_K } from './schemes/q6_k';
import { setCodeOfQ8_0 } from './schemes/q8_0';
import { setCodeOfQ4_0, setCodeOfQ5_0 } from './schemes/signed-blocks';
import { iq4Code, iq4Value } from './search/iq4-scale';
import { nearestInt } from './search/nearest-int';

/** What codes of an encoded block stand for, and how they are exchanged one by one, while its scales stay. */

export function blockSizeOf(scheme: i32): i32 {
  switch (scheme) {
    case q4_0.GGML_TYPE:
      return q4_0.BLOCK_SIZE;
    case q4_1.GGML_TYPE:
      return q4_1.BLOCK_SIZE;
    case q5_0.GGML_TYPE:
      return q5_0.BLOCK_SIZE;
    case q5_1.GGML_TYPE:
      return q5_1.BLOCK_SIZE;
    case q8_0.GGML_TYPE:
      return q8_0.BLOCK_SIZE;
    case iq4_nl.GGML_TYPE:
      return iq4_nl.BLOCK_SIZE;
    default:
      return q4_k.BLOCK_SIZE;
  }
}

/** Step of the 16 weights of a group; a weight is step * code - min. */
export function stepOfGroup(scheme: i32, block: usize, group: i32): f32 {
  switch (scheme) {
    case q2_k.GGML_TYPE:
      return stepOfQ2_K(block, group);
    case q3_k.GGML_TYPE:
      return stepOfQ3_K(block, group);
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      return stepOf(block, group >> 1);
    case q6_k.GGML_TYPE:
      return stepOfQ6_K(block, group);
    case iq4_xs.GGML_TYPE:
      return stepOfIQ4_XS(block, group >> 1);
    default:
      return loadHalf(block + q4_0.SCALE);
  }
}

export function minOfGroup(scheme: i32, block: usize, group: i32, step: f32): f32 {
  switch (scheme) {
    case q4_1.GGML_TYPE:
    case q5_1.GGML_TYPE:
      return minOfBlock(block);
    case q2_k.GGML_TYPE:
      return minOfQ2_K(block, group);
    case q4_k.GGML_TYPE:
    case q5_k.GGML_TYPE:
      return minOf(block, group >> 1);
    case q3_k.GGML_TYPE:
      return <f32>q3_k.CODE_LIMIT * step;
    case q4_0.GGML_TYPE:
      return <f32>q4_0.CODE_LIMIT * step;
    case q5_0.GGML_TYPE:
      return <f32>q5_0.CODE_LIMIT * step;
    case q6_k.GGML_TYPE:
      return <f32>q6_k.CODE_LIMIT * step;
    case q8_0.GGML_TYPE:
      return <f32>q8_0.CODE_LIMIT * step;
    default:
      return 0;
  }
}

function largestCode(scheme: i32): i32 {
  switch (scheme) {
    case q4_0.GGML_TYPE:
      return 2 * q4_0.CODE_LIMIT - 1;
    case q4_1.GGML_TYPE:
      return q4_1.LARGEST_CODE;
    case q5_0.GGML_TYPE:
      return 2 * q5_0.CODE_LIMIT - 1;
    case q5_1.GGML_TYPE:
      return q5_1.LARGEST_CODE;
    case q8_0.GGML_TYPE:
      return 2 * q8_0.CODE_LIMIT;
    case q2_k.GGML_TYPE:
      return q2_k.LARGEST_CODE;
    case q3_k.GGML_TYPE:
      return 2 * q3_k.CODE_LIMIT - 1;
    case q4_k.GGML_TYPE:
      return q4_k.LARGEST_CODE;
    case q5_k.GGML_TYPE:
      return q5_k.LARGEST_CODE;
    case q6_k.GGML_TYPE:
      return 2 * q6_k.CODE_LIMIT - 1;
    default:
      return unreachable();
  }
}

function hasLevels(scheme: i32): bool {
  return scheme === iq4_nl.GGML_TYPE || scheme === iq4_xs.GGML_TYPE;
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
    case q4_0.GGML_TYPE:
      setCodeOfQ4_0(block, index, code);
      break;
    case q4_1.GGML_TYPE:
      setCodeOfQ4_1(block, index, code);
      break;
    case q5_0.GGML_TYPE:
      setCodeOfQ5_0(block, index, code);
      break;
    case q5_1.GGML_TYPE:
      setCodeOfQ5_1(block, index, code);
      break;
    case q8_0.GGML_TYPE:
      setCodeOfQ8_0(block, index, code);
      break;
    case q2_k.GGML_TYPE:
      setCodeOfQ2_K(block, index, code);
      break;
    case q3_k.GGML_TYPE:
      setCodeOfQ3_K(block, index, code);
      break;
    case q4_k.GGML_TYPE:
      setCodeOfQ4_K(block, index, code);
      break;
    case q5_k.GGML_TYPE:
      setCodeOfQ5_K(block, index, code);
      break;
    case q6_k.GGML_TYPE:
      setCodeOfQ6_K(block, index, code);
      break;
    case iq4_nl.GGML_TYPE:
      setCodeOfIQ4_NL(block, index, code);
      break;
    case iq4_xs.GGML_TYPE:
      setCodeOfIQ4_XS(block, index, code);
      break;
    default:
      unreachable();
  }
}
