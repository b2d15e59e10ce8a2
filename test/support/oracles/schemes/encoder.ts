import type { CodeGrid } from './code-grid.ts';

/**
 * Writes one storage scheme in plain TypeScript, with the bytes of `ggml_quantize_chunk` (baseline x86-64):
 * the oracle of the WebAssembly kernels. `count` is a multiple of the scheme's block size; offsets are
 * elements in `source`, bytes in `target`. `importance` holds a weight of the squared error for each of the `count`
 * values, which must be one whole row: some schemes measure the row. Schemes that ggml quantizes without an
 * imatrix ignore it.
 */
export type Encoder = (
  source: Float32Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  count: number,
  importance?: Float32Array,
) => void;

/** The oracle of a scheme that can be written. */
export interface SchemeOracle {
  readonly encode: Encoder;
  /** Absent where codes of weights cannot be chosen one by one. */
  readonly grid?: CodeGrid;
}
