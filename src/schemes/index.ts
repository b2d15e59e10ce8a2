import type { SchemeName } from '../core/scheme.ts';
import * as q4_0 from '../core/scheme-constants/q4_0.ts';
import * as q4_1 from '../core/scheme-constants/q4_1.ts';
import * as q4_k from '../core/scheme-constants/q4_k.ts';
import * as q5_0 from '../core/scheme-constants/q5_0.ts';
import * as q5_1 from '../core/scheme-constants/q5_1.ts';
import * as q5_k from '../core/scheme-constants/q5_k.ts';
import type { Decoder } from './decoder.ts';
import { decodeBF16, decodeF16, decodeF32 } from './floats.ts';
import { decodeIQ1_M } from './iq1_m.ts';
import { decodeIQ1_S } from './iq1_s.ts';
import { decodeIQ2_S } from './iq2_s.ts';
import { decodeIQ2_XS } from './iq2_xs.ts';
import { decodeIQ2_XXS } from './iq2_xxs.ts';
import { decodeIQ3_S } from './iq3_s.ts';
import { decodeIQ3_XXS } from './iq3_xxs.ts';
import { decodeIQ4_NL } from './iq4_nl.ts';
import { decodeIQ4_XS } from './iq4_xs.ts';
import { decodeMXFP4 } from './mxfp4.ts';
import { decoderOfOffsetBlocks } from './offset-blocks.ts';
import { decoderOfOffsetSuperBlocks } from './offset-super-blocks.ts';
import { unpackFiveBits, unpackNibbles } from './packed-codes.ts';
import { decodeQ2_K } from './q2_k.ts';
import { decodeQ3_K } from './q3_k.ts';
import { decodeQ6_K } from './q6_k.ts';
import { decodeQ8_0 } from './q8_0.ts';
import { decoderOfSignedBlocks } from './signed-blocks.ts';
import { decodeTQ1_0 } from './tq1_0.ts';
import { decodeTQ2_0 } from './tq2_0.ts';

const DECODERS: Readonly<Record<SchemeName, Decoder>> = {
  F32: decodeF32,
  F16: decodeF16,
  Q4_0: decoderOfSignedBlocks(q4_0, unpackNibbles),
  Q4_1: decoderOfOffsetBlocks(q4_1, unpackNibbles),
  Q5_0: decoderOfSignedBlocks(q5_0, unpackFiveBits),
  Q5_1: decoderOfOffsetBlocks(q5_1, unpackFiveBits),
  Q8_0: decodeQ8_0,
  Q2_K: decodeQ2_K,
  Q3_K: decodeQ3_K,
  Q4_K: decoderOfOffsetSuperBlocks(q4_k),
  Q5_K: decoderOfOffsetSuperBlocks(q5_k),
  Q6_K: decodeQ6_K,
  IQ2_XXS: decodeIQ2_XXS,
  IQ2_XS: decodeIQ2_XS,
  IQ3_XXS: decodeIQ3_XXS,
  IQ1_S: decodeIQ1_S,
  IQ4_NL: decodeIQ4_NL,
  IQ3_S: decodeIQ3_S,
  IQ2_S: decodeIQ2_S,
  IQ4_XS: decodeIQ4_XS,
  IQ1_M: decodeIQ1_M,
  BF16: decodeBF16,
  TQ1_0: decodeTQ1_0,
  TQ2_0: decodeTQ2_0,
  MXFP4: decodeMXFP4,
};

export function decoderOf(scheme: SchemeName): Decoder {
  return DECODERS[scheme];
}
