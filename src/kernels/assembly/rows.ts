import * as bf16 from '../../core/scheme-constants/bf16';
import * as f16 from '../../core/scheme-constants/f16';
import * as f32 from '../../core/scheme-constants/f32';
import * as iq1_m from '../../core/scheme-constants/iq1_m';
import * as iq1_s from '../../core/scheme-constants/iq1_s';
import * as iq2_s from '../../core/scheme-constants/iq2_s';
import * as iq2_xs from '../../core/scheme-constants/iq2_xs';
import * as iq2_xxs from '../../core/scheme-constants/iq2_xxs';
import * as iq3_s from '../../core/scheme-constants/iq3_s';
import * as iq3_xxs from '../../core/scheme-constants/iq3_xxs';
import * as iq4_nl from '../../core/scheme-constants/iq4_nl';
import * as iq4_xs from '../../core/scheme-constants/iq4_xs';
import * as mxfp4 from '../../core/scheme-constants/mxfp4';
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
import * as tq1_0 from '../../core/scheme-constants/tq1_0';
import * as tq2_0 from '../../core/scheme-constants/tq2_0';
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
import { decodeQ4_1, decodeQ5_1, encodeQ4_1, encodeQ5_1 } from './schemes/offset-blocks';
import { decodeQ4_K, decodeQ5_K, encodeQ4_K, encodeQ5_K } from './schemes/offset-super-blocks';
import { decodeQ2_K, encodeQ2_K } from './schemes/q2_k';
import { decodeQ3_K, encodeQ3_K } from './schemes/q3_k';
import { decodeQ6_K, encodeQ6_K } from './schemes/q6_k';
import { decodeQ8_0, encodeQ8_0 } from './schemes/q8_0';
import { decodeQ4_0, decodeQ5_0, encodeQ4_0, encodeQ5_0 } from './schemes/signed-blocks';
import { decodeTQ1_0, encodeTQ1_0 } from './schemes/tq1_0';
import { decodeTQ2_0, encodeTQ2_0 } from './schemes/tq2_0';

/** The one place where schemes are told apart to read and write rows; an unknown number traps. */

/** Decodes a stored row into `columns` floats at `target`. */
export function decodeRow(scheme: i32, source: usize, target: usize, columns: i32): void {
  switch (scheme) {
    case f32.GGML_TYPE:
      memory.copy(target, source, (<usize>columns) << 2);
      break;
    case f16.GGML_TYPE:
      decodeF16(source, target, columns);
      break;
    case bf16.GGML_TYPE:
      decodeBF16(source, target, columns);
      break;
    case q4_0.GGML_TYPE:
      decodeQ4_0(source, target, columns);
      break;
    case q4_1.GGML_TYPE:
      decodeQ4_1(source, target, columns);
      break;
    case q5_0.GGML_TYPE:
      decodeQ5_0(source, target, columns);
      break;
    case q5_1.GGML_TYPE:
      decodeQ5_1(source, target, columns);
      break;
    case q8_0.GGML_TYPE:
      decodeQ8_0(source, target, columns);
      break;
    case q2_k.GGML_TYPE:
      decodeQ2_K(source, target, columns);
      break;
    case q3_k.GGML_TYPE:
      decodeQ3_K(source, target, columns);
      break;
    case q4_k.GGML_TYPE:
      decodeQ4_K(source, target, columns);
      break;
    case q5_k.GGML_TYPE:
      decodeQ5_K(source, target, columns);
      break;
    case q6_k.GGML_TYPE:
      decodeQ6_K(source, target, columns);
      break;
    case iq2_xxs.GGML_TYPE:
      decodeIQ2_XXS(source, target, columns);
      break;
    case iq2_xs.GGML_TYPE:
      decodeIQ2_XS(source, target, columns);
      break;
    case iq3_xxs.GGML_TYPE:
      decodeIQ3_XXS(source, target, columns);
      break;
    case iq1_s.GGML_TYPE:
      decodeIQ1_S(source, target, columns);
      break;
    case iq3_s.GGML_TYPE:
      decodeIQ3_S(source, target, columns);
      break;
    case iq2_s.GGML_TYPE:
      decodeIQ2_S(source, target, columns);
      break;
    case iq1_m.GGML_TYPE:
      decodeIQ1_M(source, target, columns);
      break;
    case iq4_nl.GGML_TYPE:
      decodeIQ4_NL(source, target, columns);
      break;
    case iq4_xs.GGML_TYPE:
      decodeIQ4_XS(source, target, columns);
      break;
    case tq1_0.GGML_TYPE:
      decodeTQ1_0(source, target, columns);
      break;
    case tq2_0.GGML_TYPE:
      decodeTQ2_0(source, target, columns);
      break;
    case mxfp4.GGML_TYPE:
      decodeMXFP4(source, target, columns);
      break;
    default:
      unreachable();
  }
}

/** Where the floats of a stored row lie: in place if it is f32, else decoded at `scratch`. */
export function floatsOfRow(scheme: i32, source: usize, scratch: usize, columns: i32): usize {
  if (scheme === f32.GGML_TYPE) return source;
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
    case f32.GGML_TYPE:
      memory.copy(target, source, (<usize>columns) << 2);
      break;
    case f16.GGML_TYPE:
      encodeF16(source, target, columns);
      break;
    case bf16.GGML_TYPE:
      encodeBF16(source, target, columns);
      break;
    case q4_0.GGML_TYPE:
      encodeQ4_0(source, target, columns, scratch, importance);
      break;
    case q4_1.GGML_TYPE:
      encodeQ4_1(source, target, columns, scratch, importance);
      break;
    case q5_0.GGML_TYPE:
      encodeQ5_0(source, target, columns, scratch, importance);
      break;
    case q5_1.GGML_TYPE:
      encodeQ5_1(source, target, columns, scratch, importance);
      break;
    case q8_0.GGML_TYPE:
      encodeQ8_0(source, target, columns);
      break;
    case q2_k.GGML_TYPE:
      encodeQ2_K(source, target, columns, scratch, importance);
      break;
    case q3_k.GGML_TYPE:
      encodeQ3_K(source, target, columns, scratch, importance);
      break;
    case q4_k.GGML_TYPE:
      encodeQ4_K(source, target, columns, scratch, importance);
      break;
    case q5_k.GGML_TYPE:
      encodeQ5_K(source, target, columns, scratch, importance);
      break;
    case q6_k.GGML_TYPE:
      encodeQ6_K(source, target, columns, scratch, importance);
      break;
    case iq4_nl.GGML_TYPE:
      encodeIQ4_NL(source, target, columns, scratch, importance);
      break;
    case iq4_xs.GGML_TYPE:
      encodeIQ4_XS(source, target, columns, scratch, importance);
      break;
    case tq1_0.GGML_TYPE:
      encodeTQ1_0(source, target, columns);
      break;
    case tq2_0.GGML_TYPE:
      encodeTQ2_0(source, target, columns);
      break;
    case mxfp4.GGML_TYPE:
      encodeMXFP4(source, target, columns);
      break;
    default:
      unreachable();
  }
}
