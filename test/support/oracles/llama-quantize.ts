import path from 'node:path';
import koffi from 'koffi';
import { SCHEMES, type SchemeName } from '../../../src/core/scheme.ts';
import { repoRoot } from '../paths.ts';

/** What `llama-quantize` takes as flags. */
export interface LlamaQuantizeOptions {
  /** Default 1. Bytes do not depend on it. */
  readonly threads?: number;
  readonly pure?: boolean;
  readonly tokenEmbedding?: SchemeName;
  readonly tensorTypes?: readonly (readonly [pattern: string, scheme: SchemeName])[];
  readonly allowRequantize?: boolean;
  /** Importances of columns by name of the tensor. */
  readonly imatrix?: ReadonlyMap<string, Float32Array>;
}

/**
 * `llama_model_quantize` of the libllama that node-llama-cpp ships. Elsewhere than on Linux x64 the first
 * call throws: a test of byte identity that cannot compare must fail, not pass.
 */
function load() {
  const folder = path.join(repoRoot, 'node_modules/@node-llama-cpp/linux-x64/bins/linux-x64');
  // Each library needs the symbols of those before it.
  const [, , llama] = ['libggml-base.so', 'libggml.v0.5.0.so', 'libllama.v0.5.0.so'].map((name) =>
    koffi.load(path.join(folder, name), { global: true }),
  );
  const silent = koffi.register(() => {}, koffi.pointer(koffi.proto('void Log(int, str, void *)')));
  llama!.func('void llama_log_set(void *callback, void *data)')(silent, null);
  llama!.func('void llama_backend_init()')();
  const importance = koffi.struct('Importance', { name: 'str', values: 'float *', count: 'size_t' });
  const override = koffi.struct('Override', { pattern: 'str', type: 'int32_t' });
  // The fields that tests set; the rest keeps the defaults that the library returns.
  koffi.struct('QuantizeParams', {
    nthread: 'int32_t',
    ftype: 'int32_t',
    outputType: 'int32_t',
    tokenEmbeddingType: 'int32_t',
    allowRequantize: 'bool',
    quantizeOutput: 'bool',
    onlyCopy: 'bool',
    pure: 'bool',
    keepSplit: 'bool',
    dryRun: 'bool',
    imatrix: koffi.pointer(importance),
    metadata: 'void *',
    tensorTypes: koffi.pointer(override),
    rest: koffi.array('uint8_t', 80),
  });
  const defaults = llama!.func('QuantizeParams llama_model_quantize_default_params()')();
  const quantize = llama!.func(
    'uint32_t llama_model_quantize(str source, str target, QuantizeParams *params)',
  );
  return { defaults, quantize };
}

let loaded: ReturnType<typeof load> | undefined;

/** What llama-quantize does. `fileType` is a LLAMA_FTYPE. */
export function llamaQuantize(
  source: string,
  target: string,
  fileType: number,
  options: LlamaQuantizeOptions = {},
): void {
  loaded ??= load();
  const { defaults, quantize } = loaded;
  const {
    threads = 1,
    pure = false,
    tokenEmbedding,
    tensorTypes,
    allowRequantize = false,
    imatrix,
  } = options;
  const code = quantize(source, target, {
    ...defaults,
    nthread: threads,
    ftype: fileType,
    pure,
    allowRequantize,
    ...(tokenEmbedding && { tokenEmbeddingType: SCHEMES[tokenEmbedding].ggmlType }),
    // Both lists end with an entry of null.
    ...(tensorTypes && {
      tensorTypes: [
        ...tensorTypes.map(([pattern, scheme]) => ({ pattern, type: SCHEMES[scheme].ggmlType })),
        { pattern: null, type: 0 },
      ],
    }),
    ...(imatrix && {
      imatrix: [
        ...Array.from(imatrix, ([name, values]) => ({ name, values, count: values.length })),
        { name: null, values: null, count: 0 },
      ],
    }),
  });
  if (code !== 0) throw new Error(`llama_model_quantize returned ${code}`);
}
