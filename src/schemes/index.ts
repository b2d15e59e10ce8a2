import type { SchemeName } from '../core/scheme.ts';
import { bf16 } from './bf16.ts';
import type { Codec } from './codec.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
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

/** Every scheme that can be read or written, by ggml type number. */
export const CODECS: readonly Codec[] = [
  f32,
  f16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  bf16,
  tq1_0,
  tq2_0,
  mxfp4,
];

const BY_SCHEME: ReadonlyMap<SchemeName, Codec> = new Map(CODECS.map((codec) => [codec.scheme, codec]));

/** Undefined for schemes that are known by size only. */
export function codecOf(scheme: SchemeName): Codec | undefined {
  return BY_SCHEME.get(scheme);
}

export function canDecode(scheme: SchemeName): boolean {
  return BY_SCHEME.has(scheme);
}

export function canEncode(scheme: SchemeName): boolean {
  return BY_SCHEME.get(scheme)?.encode !== undefined;
}
