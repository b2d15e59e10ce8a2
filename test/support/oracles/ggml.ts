import path from 'node:path';
import koffi from 'koffi';
import { SCHEMES, type SchemeName, schemeBytes } from '../../../src/core/scheme.ts';
import { repoRoot } from '../paths.ts';

/**
 * ggml's own quantizers, called in the libggml-base.so that node-llama-cpp ships: a baseline x86-64 build
 * without fused multiply-add, whose bytes are the definition of ours. Elsewhere than on Linux x64 the first
 * call throws: a test of byte identity that cannot compare must fail, not pass.
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
    decoder: (name: string) =>
      library.func(`void ${name}(const uint8_t *source, _Out_ float *target, int64_t count)`),
  };
}

let loaded: ReturnType<typeof load> | undefined;

function library() {
  loaded ??= load();
  return loaded;
}

/**
 * `ggml_quantize_chunk`: what llama-quantize stores, with the importance of each column if there is an
 * imatrix.
 */
export function quantizeChunk(
  scheme: SchemeName,
  source: Float32Array,
  rows: number,
  columns: number,
  importance: Float32Array | null = null,
): Uint8Array {
  const target = new Uint8Array(rows * schemeBytes(scheme, columns));
  quantizeChunkInto(target, scheme, source, rows, columns, importance);
  return target;
}

/** The same into memory of the caller, which is not copied. */
export function quantizeChunkInto(
  target: Uint8Array,
  scheme: SchemeName,
  source: Float32Array,
  rows: number,
  columns: number,
  importance: Float32Array | null,
): void {
  const { ggmlType } = SCHEMES[scheme];
  const written = library().quantizeChunk(ggmlType, source, target, 0, rows, columns, importance);
  if (Number(written) !== target.length) throw new Error(`ggml wrote ${written} of ${target.length} bytes`);
}

/** `ggml_fp32_to_fp16_row` or `ggml_fp32_to_bf16_row`. */
export function floatRow(scheme: 'F16' | 'BF16', source: Float32Array): Uint8Array {
  const target = new Uint16Array(source.length);
  (scheme === 'F16' ? library().halfRow : library().bfloatRow)(source, target, source.length);
  return new Uint8Array(target.buffer);
}

const decoders = new Map<SchemeName, ReturnType<ReturnType<typeof load>['decoder']>>();

export function dequantize(
  scheme: Exclude<SchemeName, 'F32'>,
  source: Uint8Array,
  count: number,
): Float32Array {
  let decoder = decoders.get(scheme);
  if (decoder === undefined) {
    decoder = library().decoder(decoderName(scheme));
    decoders.set(scheme, decoder);
  }
  const target = new Float32Array(count);
  decoder(source, target, count);
  return target;
}

function decoderName(scheme: SchemeName): string {
  if (scheme === 'F16') return 'ggml_fp16_to_fp32_row';
  if (scheme === 'BF16') return 'ggml_bf16_to_fp32_row';
  return `dequantize_row_${scheme.toLowerCase().replace(/_k$/, '_K')}`;
}
