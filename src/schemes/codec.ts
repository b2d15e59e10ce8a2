import type { SchemeName } from '../core/scheme.ts';
import type { CodeGrid } from './code-grid.ts';

/**
 * Reads and writes one storage scheme in plain TypeScript: the oracle and fallback of the WebAssembly
 * kernels. `count` is a multiple of the scheme's block size; offsets are bytes in byte arrays, elements in
 * float arrays.
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
  /**
   * Absent where a scheme can only be read. Gives the bytes of `ggml_quantize_chunk` (baseline x86-64).
   * `importance` holds a weight of the squared error for each of the `count` values, which must be one whole
   * row: some schemes measure the row. Schemes that ggml quantizes without an imatrix ignore it.
   */
  encode?(
    source: Float32Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    count: number,
    importance?: Float32Array,
  ): void;
  /** Whether `encode` goes by importances. */
  readonly weighs?: true;
  /** Absent where codes of weights cannot be chosen one by one. */
  readonly grid?: CodeGrid;
}
