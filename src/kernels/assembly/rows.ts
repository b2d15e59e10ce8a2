import { decodeBF16, encodeBF16 } from './schemes/bf16';
import { decodeF16, encodeF16 } from './schemes/f16';
import { decodeIQ1_M } from './schemes/iq1_m';
import { decodeIQ1_S } from './schemes/iq1_s';
import { decodeIQ2_S } from './schemes/iq2_s';
import { decodeIQ2_XS } from './schemes/iq2_xs';
import { decodeIQ2_XXS } from './schemes/iq2_xxs';
import { decodeIQ3_S } from './schemes/iq3_s';
import { decodeIQ3_XXS } from './schemes/iq3_xxs';
import { decodeIQ4_NL, encodeIQ4_NL } from './schemes/iq4_nl';
import { decodeIQ4_XS, encodeIQ4_XS } from './schemes/iq4_xs';
import { decodeMXFP4, encodeMXFP4 } from './schemes/mxfp4';
import { decodeQ2_K, encodeQ2_K } from './schemes/q2_k';
import { decodeQ3_K, encodeQ3_K } from './schemes/q3_k';
import { decodeQ4_0, encodeQ4_0 } from './schemes/q4_0';
import { decodeQ4_1, encodeQ4_1 } from './schemes/q4_1';
import { decodeQ4_K, encodeQ4_K } from './schemes/q4_k';
import { decodeQ5_0, encodeQ5_0 } from './schemes/q5_0';
import { decodeQ5_1, encodeQ5_1 } from './schemes/q5_1';
import { decodeQ5_K, encodeQ5_K } from './schemes/q5_k';
import { decodeQ6_K, encodeQ6_K } from './schemes/q6_k';
import { decodeQ8_0, encodeQ8_0 } from './schemes/q8_0';
import { decodeTQ1_0, encodeTQ1_0 } from './schemes/tq1_0';
import { decodeTQ2_0, encodeTQ2_0 } from './schemes/tq2_0';
import * as types from './types';

/** The one place where schemes are told apart to read and write rows; an unknown number traps. */

/** Decodes a stored row into `columns` floats at `target`. */
export function decodeRow(scheme: i32, source: usize, target: usize, columns: i32): void {
  switch (scheme) {
    case types.F32:
      memory.copy(target, source, (<usize>columns) << 2);
      break;
    case types.F16:
      decodeF16(source, target, columns);
      break;
    case types.BF16:
      decodeBF16(source, target, columns);
      break;
    case types.Q4_0:
      decodeQ4_0(source, target, columns);
      break;
    case types.Q4_1:
      decodeQ4_1(source, target, columns);
      break;
    case types.Q5_0:
      decodeQ5_0(source, target, columns);
      break;
    case types.Q5_1:
      decodeQ5_1(source, target, columns);
      break;
    case types.Q8_0:
      decodeQ8_0(source, target, columns);
      break;
    case types.Q2_K:
      decodeQ2_K(source, target, columns);
      break;
    case types.Q3_K:
      decodeQ3_K(source, target, columns);
      break;
    case types.Q4_K:
      decodeQ4_K(source, target, columns);
      break;
    case types.Q5_K:
      decodeQ5_K(source, target, columns);
      break;
    case types.Q6_K:
      decodeQ6_K(source, target, columns);
      break;
    case types.IQ2_XXS:
      decodeIQ2_XXS(source, target, columns);
      break;
    case types.IQ2_XS:
      decodeIQ2_XS(source, target, columns);
      break;
    case types.IQ3_XXS:
      decodeIQ3_XXS(source, target, columns);
      break;
    case types.IQ1_S:
      decodeIQ1_S(source, target, columns);
      break;
    case types.IQ3_S:
      decodeIQ3_S(source, target, columns);
      break;
    case types.IQ2_S:
      decodeIQ2_S(source, target, columns);
      break;
    case types.IQ1_M:
      decodeIQ1_M(source, target, columns);
      break;
    case types.IQ4_NL:
      decodeIQ4_NL(source, target, columns);
      break;
    case types.IQ4_XS:
      decodeIQ4_XS(source, target, columns);
      break;
    case types.TQ1_0:
      decodeTQ1_0(source, target, columns);
      break;
    case types.TQ2_0:
      decodeTQ2_0(source, target, columns);
      break;
    case types.MXFP4:
      decodeMXFP4(source, target, columns);
      break;
    default:
      unreachable();
  }
}

/** Where the floats of a stored row lie: in place if it is f32, else decoded at `scratch`. */
export function floatsOfRow(scheme: i32, source: usize, scratch: usize, columns: i32): usize {
  if (scheme === types.F32) return source;
  decodeRow(scheme, source, scratch, columns);
  return scratch;
}

/**
 * Encodes `columns` floats at `source`; `scratch` is ENCODER_SCRATCH floats, aligned to 4 bytes only.
 * `importance` points at as many weights, or is 0.
 */
export function encodeRow(
  scheme: i32,
  source: usize,
  target: usize,
  columns: i32,
  scratch: usize,
  importance: usize,
): void {
  switch (scheme) {
    case types.F32:
      memory.copy(target, source, (<usize>columns) << 2);
      break;
    case types.F16:
      encodeF16(source, target, columns);
      break;
    case types.BF16:
      encodeBF16(source, target, columns);
      break;
    case types.Q4_0:
      encodeQ4_0(source, target, columns, scratch, importance);
      break;
    case types.Q4_1:
      encodeQ4_1(source, target, columns, scratch, importance);
      break;
    case types.Q5_0:
      encodeQ5_0(source, target, columns, scratch, importance);
      break;
    case types.Q5_1:
      encodeQ5_1(source, target, columns, scratch, importance);
      break;
    case types.Q8_0:
      encodeQ8_0(source, target, columns);
      break;
    case types.Q2_K:
      encodeQ2_K(source, target, columns, scratch, importance);
      break;
    case types.Q3_K:
      encodeQ3_K(source, target, columns, scratch, importance);
      break;
    case types.Q4_K:
      encodeQ4_K(source, target, columns, scratch, importance);
      break;
    case types.Q5_K:
      encodeQ5_K(source, target, columns, scratch, importance);
      break;
    case types.Q6_K:
      encodeQ6_K(source, target, columns, scratch, importance);
      break;
    case types.IQ4_NL:
      encodeIQ4_NL(source, target, columns, scratch, importance);
      break;
    case types.IQ4_XS:
      encodeIQ4_XS(source, target, columns, scratch, importance);
      break;
    case types.TQ1_0:
      encodeTQ1_0(source, target, columns);
      break;
    case types.TQ2_0:
      encodeTQ2_0(source, target, columns);
      break;
    case types.MXFP4:
      encodeMXFP4(source, target, columns);
      break;
    default:
      unreachable();
  }
}
