import path from 'node:path';
import koffi from 'koffi';
import { repoRoot } from './paths.ts';

/**
 * `llama_model_quantize` of the libllama that node-llama-cpp ships. Elsewhere than on Linux x64 the first call
 * throws: a test of byte identity that cannot compare must fail, not pass.
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
  // The parameters start with these two fields; the rest keeps the defaults that the library returns.
  koffi.struct('QuantizeParams', { nthread: 'int32_t', ftype: 'int32_t', rest: koffi.array('uint8_t', 120) });
  const defaults = llama!.func('QuantizeParams llama_model_quantize_default_params()')();
  const quantize = llama!.func(
    'uint32_t llama_model_quantize(str source, str target, QuantizeParams *params)',
  );
  return { defaults, quantize };
}

let loaded: ReturnType<typeof load> | undefined;

/** What llama-quantize does without importance matrix. `fileType` is a LLAMA_FTYPE. */
export function llamaQuantize(source: string, target: string, fileType: number, threads = 1): void {
  loaded ??= load();
  const { defaults, quantize } = loaded;
  const code = quantize(source, target, { ...defaults, nthread: threads, ftype: fileType });
  if (code !== 0) throw new Error(`llama_model_quantize returned ${code}`);
}
