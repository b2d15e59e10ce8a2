import type { SchemeName } from '../core/scheme.ts';
import { bf16 } from './bf16.ts';
import type { Codec } from './codec.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { q2_k } from './q2_k.ts';
import { q3_k } from './q3_k.ts';
import { q4_0 } from './q4_0.ts';
import { q4_k } from './q4_k.ts';
import { q5_k } from './q5_k.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';

export type { Codec } from './codec.ts';

/** Every scheme that can be read or written, by ggml type number. */
export const CODECS: readonly Codec[] = [f32, f16, q4_0, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, bf16];

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
