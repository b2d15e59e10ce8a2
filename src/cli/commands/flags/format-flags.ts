import { GGUF_ARCHITECTURES } from '../../../../formats/gguf/architecture.ts';
import { CACHE_FORMS } from '../../../core/config.ts';
import { formatsWith } from '../../../pipeline/formats/index.ts';
import { ScopedOption } from '../../scoped-option.ts';

/** `--gguf-arch`, by which GGUF targets differ in bytes and in the cache that runs them. */
export function ggufArchOption(): ScopedOption {
  return new ScopedOption(
    '--gguf-arch <arch>',
    'llama.cpp architecture to write: plm, or deepseek2 with a latent KV cache',
  )
    .choices(GGUF_ARCHITECTURES)
    .default('plm')
    .forTargets(formatsWith('ggufArch'));
}

/** `--cache`, by which ONNX targets differ in the same way. */
export function cacheOption(): ScopedOption {
  return new ScopedOption(
    '--cache <form>',
    'what the KV cache of an ONNX graph stores: the latent, or expanded keys and values, nine times as large',
  )
    .choices(CACHE_FORMS)
    .default('latent')
    .forTargets(formatsWith('cache'));
}
