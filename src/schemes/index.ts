import type { SchemeName } from '../core/scheme.ts';
import { bf16 } from './bf16.ts';
import type { Codec } from './codec.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { iq1_m } from './iq1_m.ts';
import { iq1_s } from './iq1_s.ts';
import { iq2_s } from './iq2_s.ts';
import { iq2_xs } from './iq2_xs.ts';
import { iq2_xxs } from './iq2_xxs.ts';
import { iq3_s } from './iq3_s.ts';
import { iq3_xxs } from './iq3_xxs.ts';
import { iq4_nl } from './iq4_nl.ts';
import { iq4_xs } from './iq4_xs.ts';
import { mxfp4 } from './mxfp4.ts';
import { q2_k } from './q2_k.ts';
import { q3_k } from './q3_k.ts';
import { q4_0 } from './q4_0.ts';
import { q4_1 } from './q4_1.ts';
import { q4_k } from './q4_k.ts';
import { q5_0 } from './q5_0.ts';
import { q5_1 } from './q5_1.ts';
import { q5_k } from './q5_k.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';
import { tq1_0 } from './tq1_0.ts';
import { tq2_0 } from './tq2_0.ts';

export type { Codec } from './codec.ts';

const BY_SCHEME: Readonly<Record<SchemeName, Codec>> = {
  F32: f32,
  F16: f16,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q2_K: q2_k,
  Q3_K: q3_k,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
  IQ2_XXS: iq2_xxs,
  IQ2_XS: iq2_xs,
  IQ3_XXS: iq3_xxs,
  IQ1_S: iq1_s,
  IQ4_NL: iq4_nl,
  IQ3_S: iq3_s,
  IQ2_S: iq2_s,
  IQ4_XS: iq4_xs,
  IQ1_M: iq1_m,
  BF16: bf16,
  TQ1_0: tq1_0,
  TQ2_0: tq2_0,
  MXFP4: mxfp4,
};

/** All, by ggml type number. */
export const CODECS: readonly Codec[] = Object.values(BY_SCHEME);

export function codecOf(scheme: SchemeName): Codec {
  return BY_SCHEME[scheme];
}

/** Whether codes of encoded weights can be chosen one by one, as error feedback does. */
export function hasGrid(scheme: SchemeName): boolean {
  return BY_SCHEME[scheme].grid !== undefined;
}

/** Whether importances of columns change what is encoded. */
export function weighsErrors(scheme: SchemeName): boolean {
  return BY_SCHEME[scheme].weighs === true;
}

/** Schemes that can be written, by ggml type number. */
export const WRITTEN_SCHEMES: readonly SchemeName[] = CODECS.filter(({ encode }) => encode !== undefined).map(
  ({ scheme }) => scheme,
);

/** False for schemes that can only be read. */
export function canEncode(scheme: SchemeName): boolean {
  return BY_SCHEME[scheme].encode !== undefined;
}
