import type { SchemeName } from '../core/scheme.ts';

/**
 * Reads and writes one storage scheme in plain TypeScript: the oracle and fallback of the WebAssembly kernels.
 * `count` is a multiple of the scheme's block size; offsets are bytes in byte arrays, elements in float arrays.
 */
export interface Codec {
  readonly scheme: SchemeName;
  decode(
    source: Uint8Array,
    sourceOffset: number,
    target: Float32Array,
    targetOffset: number,
    count: number,
  ): void;
  /** Absent where a scheme can only be read. Gives the bytes of ggml's reference quantizer (baseline x86-64). */
  encode?(
    source: Float32Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    count: number,
  ): void;
}
