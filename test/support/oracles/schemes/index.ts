import { type SchemeName, schemeBytes } from '../../../../src/core/scheme.ts';
import * as q4_0 from '../../../../src/core/scheme-constants/q4_0.ts';
import * as q4_1 from '../../../../src/core/scheme-constants/q4_1.ts';
import * as q4_k from '../../../../src/core/scheme-constants/q4_k.ts';
import * as q5_0 from '../../../../src/core/scheme-constants/q5_0.ts';
import * as q5_1 from '../../../../src/core/scheme-constants/q5_1.ts';
import * as q5_k from '../../../../src/core/scheme-constants/q5_k.ts';
import type { CodeGrid } from './code-grid.ts';
import type { Encoder, SchemeOracle } from './encoder.ts';
import { bf16, f16, f32 } from './floats.ts';
import { iq4_nl } from './iq4_nl.ts';
import { iq4_xs } from './iq4_xs.ts';
import { mxfp4 } from './mxfp4.ts';
import { offsetBlocks } from './offset-blocks.ts';
import { offsetSuperBlocks } from './offset-super-blocks.ts';
import { FIVE_BITS, NIBBLES } from './packed-codes.ts';
import { q2_k } from './q2_k.ts';
import { q3_k } from './q3_k.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';
import { signedBlocks } from './signed-blocks.ts';
import { tq1_0 } from './tq1_0.ts';
import { tq2_0 } from './tq2_0.ts';

const ORACLES: Readonly<Partial<Record<SchemeName, SchemeOracle>>> = {
  F32: f32,
  F16: f16,
  Q4_0: signedBlocks(q4_0, NIBBLES),
  Q4_1: offsetBlocks(q4_1, NIBBLES),
  Q5_0: signedBlocks(q5_0, FIVE_BITS),
  Q5_1: offsetBlocks(q5_1, FIVE_BITS),
  Q8_0: q8_0,
  Q2_K: q2_k,
  Q3_K: q3_k,
  Q4_K: offsetSuperBlocks(q4_k),
  Q5_K: offsetSuperBlocks(q5_k),
  Q6_K: q6_k,
  IQ4_NL: iq4_nl,
  IQ4_XS: iq4_xs,
  BF16: bf16,
  TQ1_0: tq1_0,
  TQ2_0: tq2_0,
  MXFP4: mxfp4,
};

/** @throws Error for a scheme that can only be read. */
export function encoderOf(scheme: SchemeName): Encoder {
  const oracle = ORACLES[scheme];
  if (oracle === undefined) throw new Error(`no encoder for ${scheme}`);
  return oracle.encode;
}

/** `values`, whole rows, encoded without importances. */
export function encoded(scheme: SchemeName, values: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(schemeBytes(scheme, values.length));
  encoderOf(scheme)(values, 0, bytes, 0, values.length);
  return bytes;
}

export function codeGridOf(scheme: SchemeName): CodeGrid | undefined {
  return ORACLES[scheme]?.grid;
}
