import { GGUF_ARCHITECTURES } from '../../../../formats/gguf/architecture.ts';
import { CACHE_FORMS } from '../../../core/config.ts';
import { formatsWith } from '../../../pipeline/formats/index.ts';
import { ScopedOption } from '../../scoped-option.ts';

/** `--gguf-arch`, by which GGUF targets differ in bytes and in the cache that runs them. */
export function ggufArchOption(): ScopedOption {
  return new ScopedOption(
    '--gguf-arch <arch>',
    'llama.cpp architecture to write: its own for PLM, or one with a latent KV cache',
  )
    .choices(GGUF_ARCHITECTURES)
    .default('plm')
    .forTargets(formatsWith('ggufArch'));
}

/** `--cache`, by which ONNX targets do. */
export function cacheOption(): ScopedOption {
  return new ScopedOption(
    '--cache <form>',
    'what the KV cache of an ONNX graph holds: the latent, or keys and values of every head, nine times as much',
  )
    .choices(CACHE_FORMS)
    .default('latent')
    .forTargets(formatsWith('cache'));
}
