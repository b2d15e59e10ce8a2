import path from 'node:path';
import koffi from 'koffi';
import { SCHEMES, type SchemeName, schemeBytes } from '../../src/core/scheme.ts';
import { repoRoot } from './paths.ts';

/**
 * ggml's own quantizers, called in the libggml-base.so that node-llama-cpp ships: a baseline x86-64 build without
 * fused multiply-add, whose bytes are the definition of ours. Elsewhere than on Linux x64 the first call throws: a
 * test of byte identity that cannot compare must fail, not pass.
 */
function load() {
  const file = path.join(repoRoot, 'node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so');
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(file);
  } catch (cause) {
    throw new Error(`the tests compare bytes with ${path.basename(file)}, which cannot be loaded here`, {
      cause,
    });
  }
  return {
    quantizeChunk: library.func(
      'size_t ggml_quantize_chunk(int type, const float *source, _Out_ uint8_t *target, int64_t start, int64_t rows, int64_t columns, const float *imatrix)',
    ),
    halfRow: library.func(
      'void ggml_fp32_to_fp16_row(const float *source, _Out_ uint16_t *target, int64_t count)',
    ),
    bfloatRow: library.func(
      'void ggml_fp32_to_bf16_row(const float *source, _Out_ uint16_t *target, int64_t count)',
    ),
    decoders: {
      F16: library.func(
        'void ggml_fp16_to_fp32_row(const uint8_t *source, _Out_ float *target, int64_t count)',
      ),
      BF16: library.func(
        'void ggml_bf16_to_fp32_row(const uint8_t *source, _Out_ float *target, int64_t count)',
      ),
      Q4_0: library.func(
        'void dequantize_row_q4_0(const uint8_t *source, _Out_ float *target, int64_t count)',
      ),
      Q8_0: library.func(
        'void dequantize_row_q8_0(const uint8_t *source, _Out_ float *target, int64_t count)',
      ),
      Q6_K: library.func(
        'void dequantize_row_q6_K(const uint8_t *source, _Out_ float *target, int64_t count)',
      ),
    },
  };
}

let loaded: ReturnType<typeof load> | undefined;

function library() {
  loaded ??= load();
  return loaded;
}

/** `ggml_quantize_chunk` without importance matrix: what llama-quantize stores. */
export function quantizeChunk(
  scheme: SchemeName,
  source: Float32Array,
  rows: number,
  columns: number,
): Uint8Array {
  const target = new Uint8Array(rows * schemeBytes(scheme, columns));
  const written = library().quantizeChunk(SCHEMES[scheme].ggmlType, source, target, 0, rows, columns, null);
  if (Number(written) !== target.length) throw new Error(`ggml wrote ${written} of ${target.length} bytes`);
  return target;
}

/** `ggml_fp32_to_fp16_row` or `ggml_fp32_to_bf16_row`. */
export function floatRow(scheme: 'F16' | 'BF16', source: Float32Array): Uint8Array {
  const target = new Uint16Array(source.length);
  (scheme === 'F16' ? library().halfRow : library().bfloatRow)(source, target, source.length);
  return new Uint8Array(target.buffer);
}

export type GgmlDecodable = keyof ReturnType<typeof load>['decoders'];

export function dequantize(scheme: GgmlDecodable, source: Uint8Array, count: number): Float32Array {
  const target = new Float32Array(count);
  library().decoders[scheme](source, target, count);
  return target;
}
